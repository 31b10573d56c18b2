<?php
// What every page of this test site does first: note the request as PHP saw it, one JSON line each.
function note_request(): void
{
    $log = getenv('SITE_LOG');
    if (!$log) {
        return;
    }
    $body = file_get_contents('php://input');
    $line = json_encode([
        'method' => $_SERVER['REQUEST_METHOD'],
        'uri' => $_SERVER['REQUEST_URI'],
        'headers' => getallheaders(),
        'post' => $_POST,
        'body_length' => strlen($body),
        'body_sha256' => hash('sha256', $body),
    ], JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
    file_put_contents($log, $line . "\n", FILE_APPEND | LOCK_EX);
}

function page(string $title, string $body): void
{
    header('Content-Type: text/html; charset=utf-8');
    echo "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>$title</title></head><body>$body</body></html>";
}

function e(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES);
}
