<?php
// A landing page as small businesses have them: a cookie banner, a form, validation on the server, a thank-you page.
require __DIR__ . '/site.php';
note_request();

$errors = [];
$values = array_fill_keys(['first_name', 'last_name', 'email', 'phone', 'message'], '');
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    foreach ($values as $name => $_) {
        $values[$name] = trim((string) ($_POST[$name] ?? ''));
    }
    // Slow enough that the second click of a double click arrives before the first is answered.
    usleep(150000);
    if (!filter_var($values['email'], FILTER_VALIDATE_EMAIL)) {
        $errors['email'] = 'Please enter a valid e-mail address.';
    }
    if ($values['last_name'] === '') {
        $errors['last_name'] = 'Please enter your name.';
    }
    if (!$errors) {
        header('Location: /thanks.php', true, 303);
        exit;
    }
}

function field(string $name, string $label, string $type, string $autocomplete, array $values, array $errors): string
{
    $bad = isset($errors[$name]);
    return '<p><label for="' . $name . '">' . $label . '</label> <input id="' . $name . '" name="' . $name . '" type="' . $type
        . '" autocomplete="' . $autocomplete . '" value="' . e($values[$name]) . '"'
        . ($bad ? ' aria-invalid="true" class="error"' : '') . '>'
        . ($bad ? ' <em class="error">' . e($errors[$name]) . '</em>' : '') . '</p>';
}

$form = '<form id="quote" method="post" action="" novalidate>'
    . field('first_name', 'First name', 'text', 'given-name', $values, $errors)
    . field('last_name', 'Last name', 'text', 'family-name', $values, $errors)
    . field('email', 'E-mail', 'text', 'email', $values, $errors)
    . field('phone', 'Phone', 'tel', 'tel', $values, $errors)
    . '<p><label for="message">Message</label> <textarea id="message" name="message">' . e($values['message']) . '</textarea></p>'
    . '<p><button type="submit">Ask for a quote</button></p></form>';

// The banner writes what CookieYes writes: a cookie before any choice, and the choice when there is one.
$banner = <<<'HTML'
<div id="banner">We use cookies. <button id="accept">Accept</button> <button id="reject">Reject</button></div>
<script>
  const choice = (answer, ads) => {
    document.cookie = 'cookieyes-consent=consentid:ZXhhbXBsZQ,consent:' + (ads === 'yes' ? 'yes' : 'no') + ',action:' + answer
      + ',necessary:yes,functional:' + ads + ',analytics:' + ads + ',advertisement:' + ads + ';path=/;samesite=strict';
    document.getElementById('banner').hidden = answer === 'yes';
    // What the site's own pixel does once it may.
    if (ads === 'yes' && !document.cookie.includes('_fbp=')) {
      document.cookie = '_fbp=fb.0.' + Date.now() + '.1234567890;path=/;samesite=lax';
    }
  };
  if (!document.cookie.includes('cookieyes-consent=')) choice('', 'no');
  else document.getElementById('banner').hidden = document.cookie.includes('action:yes');
  document.getElementById('accept').onclick = () => choice('yes', 'yes');
  document.getElementById('reject').onclick = () => choice('yes', 'no');
</script>
HTML;

page('Quote', '<h1>Ask for a quote</h1>' . $form . $banner);
