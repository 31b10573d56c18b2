//! What every WordPress site posts that is never a lead: logins, comments, WooCommerce, its own machinery.

use super::{Handler, Outcome, Post, Recognised, machine_word};
use crate::form::answer::Answer;
use crate::form::url::{Url, bare_host};
use crate::reason::Reason;

/// Posts that are never leads, whatever the answer.
pub(super) struct WordPress;

impl Handler for WordPress {
    fn name(&self) -> &'static str {
        "wordpress"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        never(post).map(Recognised::Never)
    }

    fn outcome(&self, _post: &Post<'_>, _answer: &Answer<'_>) -> Outcome {
        Outcome::unknown("never_a_lead")
    }
}

/// `admin-ajax.php` with an action that no handler knows. Themes send their contact forms this way too, and plugins
/// everything else: without a rule nothing can be said.
pub(super) struct AdminAjax;

impl Handler for AdminAjax {
    fn name(&self) -> &'static str {
        "wordpress"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        is_ajax(post).then_some(Recognised::Form(None))
    }

    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        let action = post.action().unwrap_or_default();
        Outcome::of_status(answer).unwrap_or_else(|| Outcome::unknown(format!("action:{}", machine_word(action))))
    }
}

/// Actions that the site sends to itself, or by which it reports to advertising networks on its own.
const OWN_ACTIONS: &[&str] =
    &["as_async_request_queue_runner", "wp_nf_update_fields", "wp_async_send_server_events", "pys_api_event"];

fn is_ajax(post: &Post<'_>) -> bool {
    post.path_ends("/wp-admin/admin-ajax.php")
}

fn never(post: &Post<'_>) -> Option<Reason> {
    let fields = post.fields;
    let action = post.action().unwrap_or_default();
    if is_self(post)
        || OWN_ACTIONS.contains(&action)
        || post.path_ends("/wp-cron.php")
        || post.query("ob").is_some_and(|value| value == "open-bridge")
        || post.rest_route("/pys-facebook/v1/").is_some()
    {
        return Some(Reason::SelfRequest);
    }
    let has = |name: &str| fields.get(name).is_some();
    if post.path_ends("/wp-login.php")
        || (has("log") && has("pwd"))
        || has("woocommerce-login-nonce")
        || has("woocommerce-register-nonce")
        || has("woocommerce-lost-password-nonce")
    {
        return Some(Reason::Login);
    }
    if post.path_ends("/wp-comments-post.php") || has("comment_post_ID") {
        return Some(Reason::Comment);
    }
    if post.query("wc-ajax").is_some()
        || post.rest_route("/wc/store/").is_some()
        || has("woocommerce-process-checkout-nonce")
        || has("woocommerce-cart-nonce")
        || has("add-to-cart")
    {
        return Some(Reason::Checkout);
    }
    let is_core = post.path_ends("/xmlrpc.php")
        || post.rest_route("/wp/v2/").is_some()
        || post.rest_route("/batch/v1").is_some()
        || (is_ajax(post) && action == "heartbeat");
    is_core.then_some(Reason::NotAForm)
}

/// WordPress calls itself `WordPress/6.7; https://home.example`: a request under the site's own name is its own. One
/// from another site (a form that a script passes on) is read like any other.
fn is_self(post: &Post<'_>) -> bool {
    let home = post.request.header("user-agent").and_then(|agent| agent.strip_prefix("WordPress/"));
    let Some(home) = home.and_then(|agent| agent.split_once(';')).map(|(_, home)| home.trim()) else { return false };
    Url::absolute(home).is_some_and(|home| bare_host(&home.host) == bare_host(&post.request.host))
}
