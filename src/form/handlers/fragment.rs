//! Answers that a script puts into the page it is on: htmx, Turbo, Next.js, and `fetch` by hand.
//!
//! Such an answer is a piece of a page. That the form is not in it says little: it may go where messages go. And what is
//! marked as wrong in it is wrong now, since nothing of the page around it comes along.

use serde_json::Value;

use super::redirect::verdict_of_word;
use super::{Outcome, Post, generic, machine_word};
use crate::form::answer::Answer;
use crate::form::flash::{self, Flash};
use crate::form::html::attribute;
use crate::form::page::PageForm;
use crate::form::words::Words;
use crate::reason::Reason;

/// What a bare word means that a script answers to a script: PHP's `echo "OK"`.
const GOOD: &[&str] = &["ok", "1", "true", "success", "sent", "mail_sent"];
const BAD: &[&str] = &["0", "false", "error", "fail", "failed", "failure", "invalid", "spam", "ko", "nok"];
/// Ids of elements that take messages, not forms.
const MESSAGE_AREAS: &[&str] = &[
    "message",
    "messages",
    "msg",
    "result",
    "results",
    "response",
    "output",
    "status",
    "notice",
    "notification",
    "alert",
    "alerts",
    "error",
    "errors",
    "feedback",
    "flash",
    "toast",
];

pub(super) fn is_htmx(post: &Post<'_>) -> bool {
    post.request.header("hx-request").is_some_and(|value| value == "true")
}

fn is_turbo(post: &Post<'_>) -> bool {
    post.request.header("accept").is_some_and(|accept| accept.contains("text/vnd.turbo-stream.html"))
}

/// A Next.js server action.
pub(super) fn is_next_action(post: &Post<'_>) -> bool {
    post.request.header("next-action").is_some()
}

/// htmx says which page it is on; its requests may go anywhere.
pub(super) fn page_url(post: &Post<'_>) -> Option<String> {
    post.request.header("hx-current-url").filter(|_| is_htmx(post)).map(str::to_owned)
}

/// Whether the answer goes to a script and is no document of its own.
pub(super) fn is_fragment(post: &Post<'_>, answer: &Answer<'_>) -> bool {
    (is_htmx(post) || is_turbo(post) || post.is_by_script()) && !answer.has("html")
}

/// Where the script is told to go: htmx, which tells it in headers of its own, and Next.js, which adds how
/// (`/thanks;push`).
pub(super) fn location(post: &Post<'_>, answer: &Answer<'_>) -> Option<String> {
    if is_next_action(post)
        && let Some(value) = answer.header("x-action-redirect")
    {
        let bare = value.strip_suffix(";push").or_else(|| value.strip_suffix(";replace"));
        return Some(bare.unwrap_or(value).to_owned());
    }
    if let Some(value) = answer.header("hx-redirect") {
        return Some(value.to_owned());
    }
    let value = answer.header("hx-location")?;
    if !value.trim_start().starts_with('{') {
        return Some(value.to_owned());
    }
    let json: Value = serde_json::from_str(value).ok()?;
    Some(json.get("path")?.as_str()?.to_owned())
}

/// The events that htmx is told to raise: `contactSent`, or `{"toast":{"level":"error"}}`. One bad word outweighs the
/// good ones.
pub(super) fn events(answer: &Answer<'_>) -> Option<Outcome> {
    let headers = ["hx-trigger", "hx-trigger-after-swap", "hx-trigger-after-settle"];
    let said: Vec<Outcome> = headers.iter().filter_map(|name| answer.header(name)).flat_map(of_trigger).collect();
    let refused = said.iter().position(|outcome| matches!(outcome, Outcome::Refused(..)));
    said.into_iter().nth(refused.unwrap_or(0))
}

fn of_trigger(value: &str) -> Vec<Outcome> {
    match serde_json::from_str::<Value>(value) {
        Ok(Value::Object(events)) => events.iter().filter_map(|(name, detail)| event(name, detail)).collect(),
        _ => value.split(',').filter_map(|name| event(name, &Value::Null)).collect(),
    }
}

/// What an event that is raised in the page says by its name, or by the kind of message it carries.
pub(super) fn event(name: &str, detail: &Value) -> Option<Outcome> {
    let kinds = ["type", "level", "status", "variant", "kind"].iter().filter_map(|key| detail.get(key)?.as_str());
    let words: Vec<&str> = [name.trim()].into_iter().chain(kinds).collect();
    let verdicts: Vec<bool> = words.iter().filter_map(|word| verdict_of_word(word)).collect();
    let marker = format!("event:{}", machine_word(name.trim()));
    if verdicts.contains(&false) {
        return Some(Outcome::refused(Reason::Validation, marker));
    }
    verdicts.contains(&true).then(|| Outcome::accepted(marker))
}

/// What a fragment says.
pub(super) fn outcome(post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
    let body = answer.body().unwrap_or_default();
    if let Some(said) = bare_word(body) {
        return said;
    }
    let Some(page) = answer.page() else { return Outcome::unknown("answer_not_telling") };
    let flash = flash::read(body);
    if page.invalid_marks > 0 || flash == Flash::Failure {
        return Outcome::refused(Reason::Validation, "marked_invalid");
    }
    if generic::has_died(body) {
        return Outcome::refused(Reason::UpstreamError, "php_error");
    }
    if let Some(said) = events(answer) {
        return said;
    }
    if body.trim_ascii().is_empty() {
        return Outcome::unknown("answer_empty");
    }
    let shows = |form: &PageForm| page.has_form(form) || shows_field_of(answer, form);
    match post.form {
        Some(form) if shows(form) => Outcome::unknown("form_still_there"),
        None if !page.forms.is_empty() => Outcome::unknown("page_not_learned"),
        _ if flash == Flash::Success => Outcome::accepted("success_message"),
        None => Outcome::unknown("page_not_learned"),
        Some(form) if takes_the_place_of(form, post, answer) => Outcome::accepted("form_gone"),
        Some(_) => Outcome::unknown("fragment_not_telling"),
    }
}

fn bare_word(body: &[u8]) -> Option<Outcome> {
    let text = std::str::from_utf8(body).ok()?.trim().trim_matches('"').to_ascii_lowercase();
    let marker = format!("answer:{}", machine_word(&text));
    if GOOD.contains(&text.as_str()) {
        return Some(Outcome::accepted(marker));
    }
    BAD.contains(&text.as_str()).then(|| Outcome::refused(Reason::Validation, marker))
}

/// A control of the form: the inside of a form has no `<form>` around it.
fn shows_field_of(answer: &Answer<'_>, form: &PageForm) -> bool {
    let is_typed = |name: &str| form.fields.iter().any(|field| field.kind.is_typed() && field.name == name);
    let control = answer.select("[name]", |element| attribute(element, "name").filter(|name| is_typed(name)));
    control.is_some()
}

/// Whether the script puts the fragment where the form was.
fn takes_the_place_of(form: &PageForm, post: &Post<'_>, answer: &Answer<'_>) -> bool {
    if is_turbo(post) {
        // What is appended leaves the form where it is.
        return ["replace", "update", "remove"]
            .iter()
            .any(|action| answer.has(&format!("turbo-stream[action={action}]")));
    }
    if !is_htmx(post) || answer.header("hx-retarget").is_some() || answer.header("hx-reswap").is_some() {
        return false;
    }
    // htmx names the target by its id: the form's own, that of something around it, or a place for messages.
    let target = post.request.header("hx-target").unwrap_or_default();
    // Without an id nothing is told of it.
    !target.is_empty() && (target == form.id || !Words::of(target).has(MESSAGE_AREAS))
}

#[cfg(test)]
mod tests {
    use crate::form::testing::{ANA, Case};

    const PAGE: &str = r#"<form id="contact-form" hx-post="/contact"><input name="name"><input name="email">
        <p class="error"></p></form>"#;

    fn htmx(answer: &str) -> Case {
        Case::post("/contact/send", ANA)
            .header("hx-request", "true")
            .header("hx-target", "contact-form")
            .html(200, answer)
            .page(PAGE)
    }

    #[test]
    fn htmx_is_told_by_headers_where_to_go() {
        for (header, value, verdict) in [
            ("hx-redirect", "/thanks", "lead"),
            ("hx-redirect", "/contact?error=1", "validation"),
            ("hx-redirect", "/login", "login"),
            ("hx-location", "/thanks", "lead"),
            ("hx-location", r##"{"path":"/thanks","target":"#main"}"##, "lead"),
            ("hx-location", r#"{"path":"/contact"}"#, "unknown_outcome"),
            ("hx-location", "{", "unknown_outcome"),
            ("hx-refresh", "true", "unknown_outcome"),
        ] {
            let mut case = htmx("");
            case.answer_headers.push((header, value));
            assert_eq!(case.verdict(), verdict, "{header}: {value}");
        }
    }

    #[test]
    fn events_of_htmx_speak_by_their_names() {
        for (value, answer, verdict) in [
            ("contactSent", "<p>x</p>", "lead"),
            ("closeModal, form-success", "", "lead"),
            ("contactSent, formError", "", "validation"),
            (r#"{"toast":{"level":"success","text":"x"}}"#, "", "lead"),
            (r#"{"toast":{"level":"danger"}}"#, "", "validation"),
            ("contactSent", "<p class=error>x</p>", "validation"),
            ("showMessage", "", "unknown_outcome"),
            ("{\"", "", "unknown_outcome"),
        ] {
            let mut case = htmx(answer);
            case.answer_headers.push(("hx-trigger", value));
            assert_eq!(case.verdict(), verdict, "{value}");
        }
        let mut silent = htmx("");
        silent.status = 204;
        assert_eq!(silent.verdict(), "lead");
        silent.answer_headers.push(("hx-trigger", "formError"));
        assert_eq!(silent.verdict(), "validation");
    }

    #[test]
    fn a_fragment_in_the_place_of_the_form_counts_when_nothing_of_the_form_is_left() {
        for (answer, verdict) in [
            ("<p>Danke!</p>", "lead"),
            ("<form><input name=name><input name=email></form>", "unknown_outcome"),
            ("<input name=email value=x>", "unknown_outcome"),
            ("<p class=error>x</p>", "validation"),
            ("<b>Fatal error</b>: Uncaught", "upstream_error"),
            ("<form><input name=name><input name=email aria-invalid=true></form>", "validation"),
            ("<div class='alert alert-warning'>x</div>", "validation"),
            ("", "unknown_outcome"),
        ] {
            assert_eq!(htmx(answer).verdict(), verdict, "{answer}");
        }
        let mut unlearned = htmx("<p>Danke!</p>");
        unlearned.page = None;
        assert_eq!(unlearned.verdict(), "unknown_outcome");
        assert_eq!(htmx("<p>x</p>").header("hx-target", "contact-form").verdict(), "lead");
        assert_eq!(htmx("<p>x</p>").header("hx-target", "form-messages").verdict(), "unknown_outcome");
        assert_eq!(htmx("<p class='alert success'>x</p>").header("hx-target", "messages").verdict(), "lead");
        let mut elsewhere = htmx("<p>x</p>");
        elsewhere.answer_headers.push(("hx-retarget", "#other"));
        assert_eq!(elsewhere.verdict(), "unknown_outcome");
        assert_eq!(htmx("<p>x</p>").html(422, "<p>x</p>").verdict(), "validation");
    }

    #[test]
    fn the_page_is_the_one_that_htmx_says() {
        let on = |url: &str| htmx("<p>x</p>").header("hx-current-url", url).read().page_url;
        assert_eq!(on("https://shop.example/quote?a=1#x").as_deref(), Some("https://shop.example/quote?a=1"));
        assert_eq!(on("https://evil.example/").as_deref(), Some("https://shop.example/contact"));
    }

    #[test]
    fn turbo_redirects_or_streams() {
        const ACCEPT: &str = "text/vnd.turbo-stream.html, text/html, application/xhtml+xml";
        let case = || Case::post("/contacts", ANA).header("accept", ACCEPT).page(PAGE);
        assert_eq!(case().redirect(303, "/thanks").verdict(), "lead");
        assert_eq!(case().html(422, PAGE).verdict(), "validation");
        for (stream, verdict) in [
            ("<turbo-stream action=replace target=f><template><p>x</p></template></turbo-stream>", "lead"),
            ("<turbo-stream action=append target=m><template><p>x</p></template></turbo-stream>", "unknown_outcome"),
            (
                "<turbo-stream action=append target=m><template><p class='flash success'>x</p></template>\
                 </turbo-stream>",
                "lead",
            ),
            (
                "<turbo-stream action=replace target=f><template><form><input name=name><input name=email>\
                 <p class=invalid-feedback>x</p></form></template></turbo-stream>",
                "validation",
            ),
        ] {
            let mut case = case().html(200, stream);
            case.answer_headers = vec![("content-type", "text/vnd.turbo-stream.html; charset=utf-8")];
            assert_eq!(case.verdict(), verdict, "{stream}");
        }
    }

    #[test]
    fn a_server_action_of_next_says_only_where_to_go() {
        let case = |header: Option<(&'static str, &'static str)>| {
            let mut case = Case::post("/contact", ANA).header("next-action", "7f0a").html(200, "0:{\"success\":true}");
            case.answer_headers = vec![("content-type", "text/x-component")];
            case.answer_headers.extend(header);
            case.verdict()
        };
        assert_eq!(case(None), "unknown_outcome");
        assert_eq!(case(Some(("x-action-redirect", "/thanks;push"))), "lead");
        assert_eq!(case(Some(("x-action-redirect", "/contact;replace"))), "unknown_outcome");
        assert_eq!(case(Some(("x-action-redirect", "/login;replace"))), "login");
    }

    #[test]
    fn a_bare_word_to_a_script_is_exact() {
        for (answer, verdict) in [
            ("OK", "lead"),
            (" 1\n", "lead"),
            ("success", "lead"),
            ("\"ok\"", "lead"),
            ("0", "validation"),
            ("error", "validation"),
            ("OK, danke", "unknown_outcome"),
            ("Bitte geben Sie Ihre E-Mail an", "unknown_outcome"),
            ("<p>Danke</p>", "unknown_outcome"),
            ("<div class='alert alert-success'>x</div>", "lead"),
            ("", "unknown_outcome"),
        ] {
            let case = Case::post("/send.php", ANA).page(PAGE).html(200, answer);
            assert_eq!(case.header("x-requested-with", "XMLHttpRequest").verdict(), verdict, "{answer}");
        }
        assert_eq!(Case::post("/send.php", ANA).html(200, "OK").verdict(), "unknown_outcome", "no script asked");
    }
}
