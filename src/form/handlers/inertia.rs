//! Inertia. A submission is answered by a redirect, whatever became of it; the page that follows carries `props.errors`
//! when it was refused (Inertia, "Validation"). Nothing else tells.

use serde_json::Value;

use super::next_page;
use super::redirect::{self, verdict_of_word};
use super::{Expected, Handler, Outcome, Post, Recognised, address, generic, machine_word};
use crate::form::answer::Answer;
use crate::form::html;
use crate::reason::Reason;

pub(super) struct Inertia;

impl Handler for Inertia {
    fn name(&self) -> &'static str {
        "inertia"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        let is_inertia = post.request.header("x-inertia").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let rehearses = post.request.header("precognition").is_some();
        (is_inertia && !rehearses).then(|| address::of_target(post).map_or(Recognised::Form(None), Recognised::Never))
    }

    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        match answer.status().as_u16() {
            419 => return Outcome::refused(Reason::Nonce, "status:419"),
            // The browser is to load a page anew: of this site after an update of its scripts, or of another one.
            409 => return Outcome::unknown("status:409"),
            _ => {}
        }
        if let Some(failure) = Outcome::of_status(answer) {
            return failure;
        }
        if let Some(location) = answer.header("location").filter(|_| answer.is_redirect()) {
            let said = redirect::target(post, location).refusal();
            return said.unwrap_or_else(|| Outcome::later("errors_on_next_page"));
        }
        if let Err(why) = answer.body() {
            return Outcome::without_body(why);
        }
        match page_object(answer) {
            Some(page) => of_page(&page),
            // What applications answer to a form that is done without Inertia.
            None => generic::outcome(post, answer),
        }
    }

    fn takes_anything(&self, _post: &Post<'_>) -> bool {
        true
    }

    fn follow_up(&self, _expected: &Expected, page: &Answer<'_>) -> Outcome {
        if let Err(said) = next_page::body(page) {
            return said;
        }
        page_object(page).map_or_else(|| Outcome::unknown("no_page_object"), |page| of_page(&page))
    }
}

/// The page object: the answer itself to Inertia's script, an attribute or a script of the document to a browser.
fn page_object(answer: &Answer<'_>) -> Option<Value> {
    let is_page = |value: &Value| value.get("component").is_some_and(Value::is_string) && value.get("props").is_some();
    if let Some(json) = answer.json() {
        return Some(json.clone()).filter(is_page);
    }
    let attribute = answer.select("div[data-page]", |element| html::attribute(element, "data-page"));
    let text = attribute.or_else(|| html::text(answer.html()?, "script[data-page]"))?;
    serde_json::from_str(&text).ok().filter(is_page)
}

fn of_page(page: &Value) -> Outcome {
    let props = page.get("props").unwrap_or(&Value::Null);
    if props.get("errors").is_some_and(holds_anything) {
        return Outcome::refused(Reason::Validation, "props.errors");
    }
    // Messages of the application, by the usual names.
    for flash in [props.get("flash"), page.get("flash")].into_iter().flatten() {
        if says_no(flash, 3) {
            return Outcome::refused(Reason::Validation, "flash");
        }
    }
    if props.get("error").is_some_and(holds_anything) {
        return Outcome::refused(Reason::Validation, "props.error");
    }
    let component = page.get("component").and_then(Value::as_str).unwrap_or_default();
    if redirect::is_login_word(component) {
        return Outcome::refused(Reason::Login, "component:login");
    }
    if verdict_of_word(component) == Some(false) {
        return Outcome::unknown(format!("component:{}", machine_word(component)));
    }
    Outcome::accepted("no_props.errors")
}

/// Whether a message, or one inside it, is named or marked as bad news: `{"error":"x"}`, `{"message":{"type":"danger"}}`.
fn says_no(flash: &Value, depth: usize) -> bool {
    let Some(members) = flash.as_object().filter(|_| depth > 0) else { return false };
    members.iter().any(|(key, value)| {
        let is_kind = ["type", "level", "status", "variant", "kind"].contains(&key.as_str());
        let kind = value.as_str().filter(|_| is_kind).and_then(verdict_of_word);
        kind == Some(false)
            || (verdict_of_word(key) == Some(false) && holds_anything(value))
            || says_no(value, depth - 1)
    })
}

/// Whether anything is at the end of bags in bags: `{"default":{}}` holds nothing.
fn holds_anything(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => items.iter().any(holds_anything),
        Value::Object(members) => members.values().any(holds_anything),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::form::testing::{Case, contact, expected, word};
    use crate::lead::contact::Key;

    fn post() -> Case {
        let body = r#"{"name":"Ana Ruiz","email":"ana.ruiz@example.com","message":"Hi"}"#;
        let mut case = Case::post("/contact", body).header("x-inertia", "true");
        case.content_type = "application/json";
        case.header("accept", "text/html, application/xhtml+xml")
    }

    #[test]
    fn a_redirect_says_nothing_by_itself() {
        for (status, to, marker) in [
            (302, "/contact", "errors_on_next_page"),
            (303, "/contact", "errors_on_next_page"),
            (303, "/thanks", "errors_on_next_page"),
            (302, "/login", "redirect_to_login"),
        ] {
            assert_eq!(post().redirect(status, to).read().marker, marker, "{status} {to}");
        }
        assert_eq!(post().html(409, "").verdict(), "unknown_outcome");
        assert_eq!(post().html(419, "").verdict(), "nonce");
        assert_eq!(post().html(422, "").verdict(), "validation");
        assert_eq!(post().json(201, r#"{"id":1}"#).verdict(), "lead");
        let reading = post().redirect(303, "/contact").read();
        assert_eq!((reading.handler, contact(&reading, Key::Em)), ("inertia", Some("ana.ruiz@example.com")));
    }

    #[test]
    fn the_page_that_follows_carries_the_errors() {
        let page = |props: Value| json!({"component": "Contact", "props": props, "url": "/contact", "version": "1"});
        for (page, said) in [
            (page(json!({"errors": {}})), "accepted"),
            (page(json!({"errors": []})), "accepted"),
            (page(json!({"errors": {"default": {}}})), "accepted"),
            (page(json!({"errors": {"email": "x"}})), "refused"),
            (page(json!({"errors": {"contact": {"email": ["x"]}}})), "refused"),
            (page(json!({"errors": {}, "flash": {"error": "x", "success": null}})), "refused"),
            (page(json!({"errors": {}, "flash": {"error": null, "success": "x"}})), "accepted"),
            (page(json!({"errors": {}, "flash": {"type": "danger", "text": "x"}})), "refused"),
            (json!({"component": "Auth/Login", "props": {"errors": {}}}), "refused"),
            (json!({"component": "ErrorPage", "props": {"errors": {}}}), "unknown"),
            (json!({"props": {"errors": {}}}), "unknown"),
            (json!({"component": "Contact"}), "unknown"),
            (json!([]), "unknown"),
        ] {
            let text = page.to_string();
            let attribute = text.replace('&', "&amp;").replace('"', "&quot;");
            let script =
                format!("<script data-page=\"app\" type=\"application/json\">{text}</script><div id=app></div>");
            for case in [
                Case::post("/", "").json(200, &text),
                Case::post("/", "").html(200, &format!("<html><div id=app data-page=\"{attribute}\"></div></html>")),
                Case::post("/", "").html(200, &script),
            ] {
                let record = case.exchange().response.unwrap();
                let outcome = Inertia.follow_up(&expected("inertia", None), &Answer::new(&record));
                assert_eq!(word(&outcome), said, "{text}");
            }
            if said != "unknown" {
                assert_eq!(post().json(200, &text).read().outcome, said, "{text}");
            }
        }
        let record = Case::post("/", "").json(409, "{}").exchange().response.unwrap();
        assert_eq!(word(&Inertia.follow_up(&expected("inertia", None), &Answer::new(&record))), "unknown");
    }

    #[test]
    fn accounts_and_rehearsals_are_no_submissions() {
        let mut forgot = post().redirect(302, "/forgot-password");
        forgot.target = "/forgot-password";
        assert_eq!(forgot.verdict(), "login");
        assert_eq!(post().header("precognition", "true").html(204, "").verdict(), "step");
        let mut like = post().redirect(303, "/thanks");
        like.body = r#"{"post":7}"#.into();
        assert_eq!(like.verdict(), "no_contact");
    }
}
