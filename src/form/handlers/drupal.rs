//! Drupal (8 and later): core's contact forms, the Webform module, and the posts that are none.
//!
//! Drupal names each of its forms in `form_id` and redirects, to whatever page, only a form that it is done with: what
//! it refuses, previews or saves as a draft comes back with status 200. Webform may do the same by AJAX, in commands.

use lol_html::html_content::Element;
use serde_json::Value;

use super::redirect::{self, Target};
use super::{Handler, Outcome, Post, Recognised, address, form_id, generic};
use crate::form::answer::Answer;
use crate::form::html;
use crate::form::page::Page;
use crate::form::url::Url;
use crate::reason::Reason;

pub(super) struct Drupal;

impl Handler for Drupal {
    fn name(&self) -> &'static str {
        "drupal"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        let form = Form::of(post)?;
        if let Some(reason) = address::of_target(post) {
            return Some(Recognised::Never(reason));
        }
        // The button by its default label, in English; in other languages the answer tells the same later.
        let button = post.fields.get("_triggering_element_value").or_else(|| post.fields.get("op"));
        Some(match (form, step_of(button.unwrap_or_default())) {
            (Form::Never(reason), _) | (_, Some(reason)) => Recognised::Never(reason),
            // By AJAX also uploads and dependent fields are posted, each with the name of its own element.
            _ if post.fields.get("_triggering_element_name").is_some_and(|name| name != "op") => {
                Recognised::Never(Reason::Step)
            }
            (Form::Contact(id), _) => Recognised::Form(form_id("drupal", &format!("contact_{id}"))),
            (Form::Webform(id), _) => Recognised::Form(form_id("drupal", &format!("webform_{id}"))),
            (Form::Other, _) => Recognised::Form(None),
        })
    }

    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if let Some(failure) = Outcome::of_status(answer) {
            return failure;
        }
        if let Some(location) = answer.header("location").filter(|_| answer.is_redirect()) {
            let target = redirect::target(post, location);
            return match Form::of(post) {
                // A module's own form may do as it likes.
                Some(Form::Other) => target.outcome(),
                _ => target.outcome_where_only_success_redirects(),
            };
        }
        let body = match answer.body() {
            Ok(body) => body,
            Err(why) => return Outcome::without_body(why),
        };
        if let Some(commands) = answer.json().and_then(Value::as_array) {
            return of_commands(post, commands);
        }
        if answer.html().is_none() {
            return Outcome::unknown("answer_not_telling");
        }
        match (of_html(post, body), Form::of(post)) {
            (Some(said), _) => said,
            (None, Some(Form::Other)) => generic::outcome(post, answer),
            (None, _) => Outcome::unknown("page_not_telling"),
        }
    }

    fn submission_id(&self, post: &Post<'_>, answer: &Answer<'_>) -> Option<String> {
        let Some(Form::Webform(_)) = Form::of(post) else { return None };
        let by_command = || answer.json()?.as_array()?.iter().find_map(destination);
        let location = answer.header("location").filter(|_| answer.is_redirect()).or_else(by_command)?;
        let page = post.page()?;
        let to = Url::resolve(location, &page)?;
        let token = form_urlencoded::parse(to.query.as_bytes()).find(|(key, _)| key == "token")?.1;
        // Tokens have 43 characters; what is much shorter could be anything.
        (token.len() >= 16).then(|| token.into_owned())
    }

    fn is_own_field(&self, name: &str) -> bool {
        OWN.contains(&name) || OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    }

    fn is_trap(&self, post: &Post<'_>, name: &str) -> bool {
        // The Honeypot module's field, which may be called like an innocent one; it comes with a time of its own.
        matches!(name, "url" | "homepage") && post.fields.get("honeypot_time").is_some()
    }

    fn takes_anything(&self, post: &Post<'_>) -> bool {
        matches!(Form::of(post), Some(Form::Other))
    }
}

const OWN: &[&str] = &["form_build_id", "form_token", "form_id", "op", "honeypot_time", "antibot_key"];
const OWN_PREFIXES: &[&str] = &["captcha_", "ajax_page_state", "_triggering_element_", "_drupal_ajax"];

enum Form<'a> {
    Contact(&'a str),
    Webform(&'a str),
    Never(Reason),
    /// A form of some module or of the site itself.
    Other,
}

/// How the `form_id` of forms begins that are never leads.
const NEVER: &[(&str, Reason)] = &[
    ("user_login", Reason::Login),
    ("user_register", Reason::Login),
    ("user_pass", Reason::Login),
    ("user_form", Reason::Login),
    ("user_profile", Reason::Login),
    ("search_", Reason::Search),
    ("views_exposed_", Reason::Search),
    ("comment_", Reason::Comment),
    ("commerce_", Reason::Checkout),
    ("views_form_commerce_", Reason::Checkout),
    ("uc_cart_", Reason::Checkout),
    ("node_", Reason::NotAForm),
    ("media_", Reason::NotAForm),
    ("system_", Reason::NotAForm),
    ("webform_submission_filter_", Reason::NotAForm),
];

impl<'a> Form<'a> {
    fn of(post: &Post<'a>) -> Option<Self> {
        let id = post.fields.get("form_id").filter(|_| post.fields.get("form_build_id").is_some())?;
        let between = |prefix, suffix| id.strip_prefix(prefix)?.strip_suffix(suffix);
        if let Some((_, reason)) = NEVER.iter().find(|(prefix, _)| id.starts_with(prefix)) {
            return Some(Self::Never(*reason));
        }
        if let Some(form) = between("contact_message_", "_form") {
            return Some(Self::Contact(form));
        }
        if let Some(form) = between("webform_submission_", "_add_form") {
            return Some(Self::Webform(without_node(form)));
        }
        // `…_edit_form`, `…_test_form`, `…_delete_form`: somebody who manages submissions.
        let is_managing = id.starts_with("webform_") && id.ends_with("_form") && !id.starts_with("webform_client_form");
        Some(if is_managing { Self::Never(Reason::NotAForm) } else { Self::Other })
    }
}

/// `quote_node_17` → `quote`: the page on which a webform stands is part of its `form_id`.
fn without_node(form: &str) -> &str {
    match form.rsplit_once("_node_") {
        Some((webform, node)) if !webform.is_empty() && node.bytes().all(|b| b.is_ascii_digit()) => webform,
        _ => form,
    }
}

/// Default labels of buttons that submit nothing.
fn step_of(button: &str) -> Option<Reason> {
    let label = button.trim_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase();
    match label.as_str() {
        "preview" | "next" | "next page" | "previous" | "previous page" | "reset" => Some(Reason::Step),
        "save draft" => Some(Reason::Draft),
        _ => None,
    }
}

/// Errors first, then Webform's confirmation, then the form itself: not yet, for whatever reason.
fn of_html(post: &Post<'_>, html: &[u8]) -> Option<Outcome> {
    let has = |selectors: &[&'static str]| selectors.iter().find(|selector| html::has(html, selector)).copied();
    if let Some(error) = has(&[".messages--error", ".form-item--error", ".form-item--error-message"]) {
        return Some(Outcome::refused(Reason::Validation, error.trim_start_matches('.')));
    }
    let is_webform = matches!(Form::of(post), Some(Form::Webform(_)));
    if let Some(done) = has(&[".webform-confirmation", ".webform-confirmation-modal--content"]).filter(|_| is_webform) {
        return Some(Outcome::accepted(done.trim_start_matches('.')));
    }
    let id = post.fields.get("form_id")?;
    let is_own = |input: &Element<'_, '_>| (html::attribute(input, "value")? == id).then_some(());
    html::first(html, "input[name=form_id]", is_own)?;
    // Themes mark errors in classes of their own.
    let is_marked = Page::parse(html).invalid_marks > post.before.invalid_marks;
    Some(Outcome::refused(if is_marked { Reason::Validation } else { Reason::Step }, "form_again"))
}

/// Drupal's AJAX answers: what the page is to do.
fn of_commands(post: &Post<'_>, commands: &[Value]) -> Outcome {
    let pieces = commands.iter().filter_map(|command| command.get("data")?.as_str());
    let said: Vec<_> = pieces.filter_map(|piece| of_html(post, piece.as_bytes())).collect();
    let is_error = |outcome: &&Outcome| matches!(outcome, Outcome::Refused(Reason::Validation, _));
    if let Some(Outcome::Refused(reason, marker)) = said.iter().find(is_error) {
        return Outcome::refused(*reason, marker.clone());
    }
    if let Some(url) = commands.iter().find_map(destination) {
        return match redirect::target(post, url) {
            Target::Nowhere => Outcome::unknown("redirect_to_no_page"),
            target => target.outcome_where_only_success_redirects(),
        };
    }
    said.into_iter().next().unwrap_or_else(|| Outcome::unknown("commands_not_telling"))
}

/// Where a command sends the browser.
fn destination(command: &Value) -> Option<&str> {
    let name = command.get("command")?.as_str()?;
    command.get("url")?.as_str().filter(|_| matches!(name, "redirect" | "webformRefresh"))
}

#[cfg(test)]
mod tests {
    use crate::form::testing::{Case, contact};
    use crate::lead::contact::Key;

    const CONTACT: &str = "name=Ana+Ruiz&mail=ana.ruiz%40example.com&subject%5B0%5D%5Bvalue%5D=Hello&\
        message%5B0%5D%5Bvalue%5D=Hi&copy=1&form_build_id=form-a1&form_token=t&form_id=contact_message_feedback_form&op=";
    const WEBFORM: &str = "email=ana.ruiz%40example.com&form_build_id=form-a1&\
        form_id=webform_submission_quote_node_17_add_form&op=";

    fn contact_form(op: &str) -> Case {
        Case::post("/contact", format!("{CONTACT}{op}"))
    }

    fn webform(op: &str) -> Case {
        Case::post("/quote", format!("{WEBFORM}{op}")).header("referer", "https://shop.example/quote")
    }

    const AGAIN: &str = r#"<form><input name="mail"><input type="hidden" name="form_id"
        value="contact_message_feedback_form"></form>"#;

    #[test]
    fn a_contact_form_redirects_only_when_it_was_sent() {
        for (case, verdict) in [
            (contact_form("Send+message").redirect(303, "/"), "lead"),
            (contact_form("Senden").redirect(303, "/contact"), "lead"),
            (contact_form("Send+message").redirect(303, "/user/login?destination=contact"), "login"),
            (contact_form("Send+message").html(200, AGAIN), "step"),
            (contact_form("Preview").html(200, AGAIN), "step"),
            (contact_form("Vorschau").html(200, AGAIN), "step"),
            (
                contact_form("Send").html(200, &format!("<div class='messages messages--error'>x</div>{AGAIN}")),
                "validation",
            ),
            (
                contact_form("Send").html(200, &format!("<div class='form-item form-item--error'></div>{AGAIN}")),
                "validation",
            ),
            (contact_form("Send").html(200, &format!("<p class='alert-danger'>x</p>{AGAIN}")), "validation"),
            (contact_form("Send").html(200, "<p>Something else</p>"), "unknown_outcome"),
            (contact_form("Send").html(403, ""), "upstream_error"),
            (contact_form("Send").html(500, ""), "upstream_error"),
        ] {
            assert_eq!(case.verdict(), verdict, "{} {}", case.body, case.status);
        }
    }

    #[test]
    fn a_contact_form_is_named_and_its_fields_are_read() {
        let reading = contact_form("Send").redirect(303, "/").read();
        assert_eq!((reading.handler, reading.form.as_str()), ("drupal", "drupal:contact_feedback"));
        assert_eq!(contact(&reading, Key::Em), Some("ana.ruiz@example.com"));
        assert_eq!(contact(&reading, Key::Ln), Some("Ruiz"));
        let names: Vec<_> = reading.canonical_fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["name", "mail", "subject[0][value]", "message[0][value]", "copy"]);
    }

    #[test]
    fn a_webform_ends_with_a_confirmation_that_has_a_token() {
        let token = "kq3pXr0s9uVtW1yZaBcDeFgHiJkLmNoPqRsTuVwXyZ0";
        let case = webform("Submit")
            .redirect(303, "/webform/quote/confirmation?token=kq3pXr0s9uVtW1yZaBcDeFgHiJkLmNoPqRsTuVwXyZ0");
        let reading = case.read();
        assert_eq!((case.verdict(), reading.form.as_str()), ("lead", "drupal:webform_quote"));
        let id = reading.supplied_event_id.unwrap();
        assert_eq!(id.id, format!("drupal:shop.example:drupal:webform_quote:{token}"));
        let message = webform("Submit").redirect(303, "/quote");
        assert_eq!((message.verdict(), message.read().supplied_event_id), ("lead", None));
        assert_eq!(webform("Absenden").html(200, "<div class='webform-confirmation'>x</div>").verdict(), "lead");
        let again = "<input name=form_id value=webform_submission_quote_node_17_add_form>";
        assert_eq!(webform("Weiter").html(200, again).verdict(), "step");
        let both = "<div class=webform-confirmation>x</div><div class=messages--error>y</div>";
        assert_eq!(webform("Submit").html(200, both).verdict(), "validation");
        for (op, verdict) in [
            ("Next+%3E", "step"),
            ("Next+Page+%3E", "step"),
            ("%3C+Previous", "step"),
            ("Preview", "step"),
            ("Save+Draft", "draft"),
        ] {
            assert_eq!(webform(op).redirect(303, "/quote").verdict(), verdict, "{op}");
        }
    }

    #[test]
    fn ajax_commands_are_read_like_pages() {
        let case = |name: &str, commands: &str| {
            let body = format!("{WEBFORM}Submit&_triggering_element_name={name}&_triggering_element_value=Absenden");
            Case::post("/quote?ajax_form=1&_wrapper_format=drupal_ajax", body).json(200, commands)
        };
        let insert = |html: &str| {
            serde_json::json!([
                {"command": "settings", "settings": {}},
                {"command": "insert", "method": "html", "selector": "#quote-ajax", "data": html},
                {"command": "webformScrollTop", "selector": "#quote-ajax"}
            ])
            .to_string()
        };
        let again = "<form><input name='form_id' value='webform_submission_quote_node_17_add_form'></form>";
        for (commands, verdict) in [
            (insert("<div class='webform-confirmation'>x</div>"), "lead"),
            (insert(again), "step"),
            (insert(&format!("<div class='messages messages--error'>x</div>{again}")), "validation"),
            (insert(&format!("{again}<b class='webform-confirmation-modal--content'>x</b>")), "lead"),
            (insert(&format!("<div class='messages messages--status'>x</div>{again}")), "step"),
            (r#"[{"command":"redirect","url":"/thanks"}]"#.into(), "lead"),
            (r#"[{"command":"webformRefresh","url":"/quote"}]"#.into(), "lead"),
            (r#"[{"command":"redirect","url":"/user/login"}]"#.into(), "login"),
            (r#"[{"command":"redirect","url":"javascript:x"}]"#.into(), "unknown_outcome"),
            (r#"[{"command":"redirect","url":7},7,null,{"data":[]}]"#.into(), "unknown_outcome"),
            ("[]".into(), "unknown_outcome"),
            ("{}".into(), "unknown_outcome"),
        ] {
            assert_eq!(case("op", &commands).verdict(), verdict, "{commands}");
        }
        assert_eq!(case("files_upload_button", &insert(again)).verdict(), "step");
        let token = r#"[{"command":"webformRefresh","url":"/done?token=0123456789abcdef0123456789"}]"#;
        assert!(case("op", token).read().supplied_event_id.unwrap().id.ends_with(":0123456789abcdef0123456789"));
    }

    #[test]
    fn other_forms_of_drupal_are_known_by_their_name() {
        for (form_id, reason) in [
            ("user_login_form", "login"),
            ("user_pass", "login"),
            ("user_register_form", "login"),
            ("search_form", "search"),
            ("search_block_form", "search"),
            ("views_exposed_form", "search"),
            ("comment_comment_form", "comment"),
            ("commerce_checkout_flow_multistep_default", "checkout"),
            ("node_article_form", "not_a_form"),
            ("webform_submission_quote_edit_form", "not_a_form"),
            ("webform_submission_quote_delete_form", "not_a_form"),
        ] {
            let body = format!("mail=ana%40example.com&name=Ana&form_build_id=x&form_id={form_id}&op=Save");
            assert_eq!(Case::post("/x", body).redirect(303, "/thanks").verdict(), reason, "{form_id}");
        }
    }

    #[test]
    fn a_modules_own_form_is_read_by_the_general_rule() {
        let own =
            |fields: &str| Case::post("/contact", format!("{fields}&form_build_id=x&form_id=acme_quote_form&op=Go"));
        assert_eq!(own("mail=ana%40example.com").redirect(303, "/thanks").verdict(), "lead");
        assert_eq!(own("mail=ana%40example.com").redirect(303, "/contact").verdict(), "unknown_outcome");
        assert_eq!(own("poll=1").redirect(303, "/thanks").verdict(), "no_contact");
        let again = "<input name=form_id value=acme_quote_form><input name=other>";
        assert_eq!(own("mail=ana%40example.com").html(200, again).verdict(), "step");
        let reading = own("mail=ana%40example.com").redirect(303, "/thanks").read();
        assert_eq!(reading.form, "/contact#acme_quote_form");
    }

    #[test]
    fn the_honeypot_module_is_told_by_its_time() {
        let with = |fields: &str| webform(&format!("Submit&{fields}")).redirect(303, "/quote").verdict();
        assert_eq!(with("url=&honeypot_time=x"), "lead");
        assert_eq!(with("url=x&honeypot_time=x"), "honeypot");
        assert_eq!(with("homepage=x&honeypot_time=x"), "honeypot");
        assert_eq!(with("url=https%3A%2F%2Fexample.com"), "lead");
    }
}
