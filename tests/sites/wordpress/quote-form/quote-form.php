<?php
/**
 * Plugin Name: Quote form
 * Description: A contact form for tests that speaks the protocol of WPForms: names, marks and answers, and none of its code.
 * License: MIT OR Apache-2.0
 */

// The fields' names say nothing of what they hold; a fifth one, with the next id, is a trap that people cannot see.
const QUOTE_NAME = 0;
const QUOTE_EMAIL = 1;
const QUOTE_PHONE = 2;
const QUOTE_MESSAGE = 3;
const QUOTE_TRAP = 4;

add_shortcode('quote_form', 'quote_form_show');
add_action('wp_ajax_wpforms_submit', 'quote_form_answer_script');
add_action('wp_ajax_nopriv_wpforms_submit', 'quote_form_answer_script');

/** What was posted, without the slashes that WordPress adds; `null` when nothing was. */
function quote_form_posted(): ?array
{
    $posted = wp_unslash($_POST['wpforms'] ?? null);
    return is_array($posted) ? $posted + ['fields' => []] : null;
}

function quote_form_value(?array $posted, int $field, string $part = ''): string
{
    $value = $posted['fields'][$field] ?? '';
    return trim((string) ($part === '' ? $value : ($value[$part] ?? '')));
}

/** `accepted`, `trapped` or `refused`, and what is wrong with which field. The test reads it from the log. */
function quote_form_judge(array $posted, string $way): array
{
    // Slow enough that the second click of a double click arrives before the first is answered.
    usleep(150000);
    $wrong = [];
    $general = '';
    $email = quote_form_value($posted, QUOTE_EMAIL);
    if (!wp_verify_nonce($posted['nonce'] ?? '', 'quote-form')) {
        $general = 'Bitte laden Sie die Seite neu.';
    }
    // Judged by the server alone: no browser finds fault with this address.
    if (!is_email($email) || str_ends_with($email, '@refused.example')) {
        $wrong[QUOTE_EMAIL] = 'An diese Adresse schreiben wir nicht.';
    }
    if (quote_form_value($posted, QUOTE_NAME, 'last') === '') {
        $wrong[QUOTE_NAME] = 'Bitte nennen Sie Ihren Namen.';
    }
    $trapped = quote_form_value($posted, QUOTE_TRAP) !== '' || ($posted['hp'] ?? '') !== '';
    $verdict = $trapped ? 'trapped' : ($general || $wrong ? 'refused' : 'accepted');
    file_put_contents(getenv('SITE_LOG'), "$way $verdict\n", FILE_APPEND | LOCK_EX);
    return [$verdict, $wrong, $general];
}

function quote_form_confirmation(int $form): string
{
    return "<div class=\"wpforms-confirmation-container-full\" id=\"wpforms-confirmation-$form\"><p>Vielen Dank!</p></div>";
}

/** The answer to the form's script. A robot in the trap is told that all is well. */
function quote_form_answer_script(): void
{
    $posted = quote_form_posted() ?? ['fields' => []];
    [$verdict, $wrong, $general] = quote_form_judge($posted, 'script');
    if ($verdict === 'refused') {
        $fields = [];
        foreach ($wrong as $field => $text) {
            $fields["wpforms[fields][$field]"] = $text;
        }
        wp_send_json_error(['errors' => ['general' => $general, 'field' => $fields]]);
    }
    wp_send_json_success(['confirmation' => $verdict === 'trapped' ? '' : quote_form_confirmation((int) $posted['id'])]);
}

/** The form; on a page without a script also the answer to it. */
function quote_form_show(array $attributes): string
{
    $form = (int) $attributes['id'];
    $script = ($attributes['ajax'] ?? 'yes') === 'yes';
    $posted = $script ? null : quote_form_posted();
    $wrong = [];
    $general = '';
    if ($posted) {
        [$verdict, $wrong, $general] = quote_form_judge($posted, 'page');
        if ($verdict === 'accepted') {
            return quote_form_confirmation($form);
        }
    }
    if ($script) {
        wp_enqueue_script('quote-form', plugins_url('quote-form.js', __FILE__), [], '1', true);
        wp_add_inline_script('quote-form', 'quoteForm(' . wp_json_encode(admin_url('admin-ajax.php')) . ')');
    }
    $error = $wrong || $general ? '<div class="wpforms-error-container" role="alert">' . esc_html($general) . '</div>' : '';
    return "<div class=\"wpforms-container wpforms-container-full\" id=\"wpforms-$form\">$error"
        . "<form id=\"wpforms-form-$form\" method=\"post\" enctype=\"multipart/form-data\" novalidate data-formid=\"$form\">"
        . quote_form_field('name', QUOTE_NAME, $wrong, quote_form_input($posted, QUOTE_NAME, 'text', 'First name', 'first')
            . quote_form_input($posted, QUOTE_NAME, 'text', 'Last name', 'last'))
        . quote_form_field('email', QUOTE_EMAIL, $wrong, quote_form_input($posted, QUOTE_EMAIL, 'email', 'Where we may write to'))
        . quote_form_field('phone', QUOTE_PHONE, $wrong, quote_form_input($posted, QUOTE_PHONE, 'tel', 'Where we may call'))
        . quote_form_field('text', QUOTE_MESSAGE, $wrong, quote_form_input($posted, QUOTE_MESSAGE, 'text', 'What it is about'))
        . quote_form_trap()
        . quote_form_hidden($form)
        . '<button type="submit" name="wpforms[submit]" value="wpforms-submit">Send</button></form></div>';
}

function quote_form_field(string $kind, int $field, array $wrong, string $inputs): string
{
    $error = isset($wrong[$field]) ? '<em class="wpforms-error">' . esc_html($wrong[$field]) . '</em>' : '';
    return "<div class=\"wpforms-field wpforms-field-$kind\" data-field-id=\"$field\">$inputs$error</div>";
}

function quote_form_input(?array $posted, int $field, string $type, string $label, string $part = ''): string
{
    $name = "wpforms[fields][$field]" . ($part === '' ? '' : "[$part]");
    $value = esc_attr(quote_form_value($posted, $field, $part));
    return "<label>$label <input type=\"$type\" name=\"$name\" value=\"$value\"></label>";
}

/** It is labelled like a field that robots look for, and far outside the window. */
function quote_form_trap(): string
{
    return '<div class="wpforms-field wpforms-field-text" data-field-id="' . QUOTE_TRAP . '" aria-hidden="true"'
        . ' style="position:absolute;left:-9999px"><label>Name Email Phone <input type="text" tabindex="-1" autocomplete="off"'
        . ' name="wpforms[fields][' . QUOTE_TRAP . ']"></label></div>';
}

function quote_form_hidden(int $form): string
{
    $hidden = [
        'wpforms[id]' => $form,
        'wpforms[nonce]' => wp_create_nonce('quote-form'),
        'wpforms[post_id]' => get_the_ID(),
        'wpforms[author]' => 1,
        'page_title' => get_the_title(),
        'page_url' => home_url($_SERVER['REQUEST_URI']),
        'page_id' => get_the_ID(),
        'url_referer' => (string) wp_get_raw_referer(),
    ];
    $html = '';
    foreach ($hidden as $name => $value) {
        $html .= "<input type=\"hidden\" name=\"$name\" value=\"" . esc_attr($value) . '">';
    }
    return $html;
}
