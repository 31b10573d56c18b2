<?php
// WordPress's configuration for the live test; what differs between two runs comes from the environment. Keys and salts
// are missing on purpose: WordPress makes its own and keeps them in the database.
define('DB_NAME', 'wordpress');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:' . getenv('SITE_DB_SOCKET'));
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
$table_prefix = 'wp_';

// Visitors come through a proxy whose port is not known here: the site is wherever it was asked for.
define('WP_HOME', 'http://' . ($_SERVER['HTTP_HOST'] ?? 'localhost'));
define('WP_SITEURL', WP_HOME);

// Nothing leaves the machine, and nothing runs on its own.
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
define('AUTOMATIC_UPDATER_DISABLED', true);

require ABSPATH . 'wp-settings.php';
