<?php
// Run once, from the site's folder: the database, WordPress's own installation, the plugin and the pages with its forms.
$database = new mysqli('localhost', 'root', '', '', 0, getenv('SITE_DB_SOCKET'));
$database->query('CREATE DATABASE wordpress CHARACTER SET utf8mb4');

define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = 'localhost';
require getcwd() . '/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';

// The installation asks the site, which is not served yet, whether it knows pretty addresses.
add_filter('pre_http_request', fn () => new WP_Error('offline', 'Nothing is asked during the installation.'));
wp_install('Example', 'editor', 'editor@example.com', false, '', 'correct horse');
update_option('permalink_structure', '/%postname%/');
// Pictures of commenters come from another site.
update_option('show_avatars', 0);

$failure = activate_plugin('quote-form/quote-form.php');
if (is_wp_error($failure)) {
    fwrite(STDERR, $failure->get_error_message() . "\n");
    exit(1);
}
foreach (['quote' => '[quote_form id="10"]', 'quote-plain' => '[quote_form id="11" ajax="no"]'] as $name => $content) {
    wp_insert_post([
        'post_type' => 'page',
        'post_status' => 'publish',
        'post_title' => 'Ask for a quote',
        'post_name' => $name,
        'post_content' => $content,
    ]);
}
flush_rewrite_rules();
