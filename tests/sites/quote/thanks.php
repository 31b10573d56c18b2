<?php
require __DIR__ . '/site.php';
note_request();
page('Thank you', '<h1>Thank you</h1><p>We will be in touch.</p>');
