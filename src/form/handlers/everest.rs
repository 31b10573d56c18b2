//! Everest Forms (observed: 3.4.7). Its script first asks for a token, which is answered with `success:true`; the word
//! in `data.response` decides.

use serde_json::Value;

use super::{
    Handler, Outcome, Post, Recognised, declare, form_id, is_filled, is_number, json_id, machine_word, wp_json,
};
use crate::form::answer::Answer;
use crate::form::roles::{Declared, Role};
use crate::reason::Reason;

pub(super) struct Everest;

impl Handler for Everest {
    fn name(&self) -> &'static str {
        "everest"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        match post.action().filter(|action| action.starts_with("everest_forms_")) {
            Some("everest_forms_ajax_form_submission") => {}
            Some(_) => return Some(Recognised::Never(Reason::NotAForm)),
            None if post.fields.has_prefix("everest_forms[") => {}
            None => return None,
        }
        let of_nonce = post.fields.list.iter().filter_map(|field| field.name.strip_prefix("_wpnonce"));
        let mut ids = post.fields.get("everest_forms[id]").into_iter().chain(of_nonce);
        let id = ids.find(|id| is_number(id));
        Some(Recognised::Form(id.and_then(|id| form_id("everest", id))))
    }

    fn roles(&self, post: &Post<'_>, _answer: Option<&Answer<'_>>) -> Vec<Declared> {
        declare::by_names(&post.fields.list, NAMES)
    }

    fn outcome(&self, _post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if let Some(outcome) = Outcome::before_body(answer) {
            return outcome;
        }
        let Some((success, data)) = wp_json(answer) else { return of_html(answer) };
        match data.get("response").and_then(Value::as_str) {
            Some("success") if success => Outcome::accepted("response:success"),
            Some("error") => Outcome::refused(Reason::Validation, "response:error"),
            Some(word) => Outcome::unknown(format!("response:{}", machine_word(word))),
            None if !success && !is_filled(Some(data)) => Outcome::refused(Reason::Honeypot, "success:false"),
            None if !success => Outcome::refused(Reason::Validation, "success:false"),
            None => Outcome::unknown("json_without_response"),
        }
    }

    fn submission_id(&self, _post: &Post<'_>, answer: &Answer<'_>) -> Option<String> {
        json_id(wp_json(answer)?.1.get("entry_id"))
    }

    fn is_own_field(&self, name: &str) -> bool {
        let nonce = name.strip_prefix("_wpnonce").is_some_and(is_number);
        nonce || (name.starts_with("everest_forms[") && !name.starts_with("everest_forms[form_fields]"))
    }
}

/// The fields of the form that it begins with; later ones have random names.
const NAMES: &[(&str, Option<Role>)] = &[
    ("everest_forms[form_fields][fullname]", Some(Role::Name)),
    ("everest_forms[form_fields][email]", Some(declare::EM)),
    ("everest_forms[form_fields][subject]", None),
    ("everest_forms[form_fields][message]", None),
];

fn of_html(answer: &Answer<'_>) -> Outcome {
    if answer.has(".everest-forms-notice--error") {
        Outcome::refused(Reason::Validation, "everest-forms-notice--error")
    } else if answer.has(".everest-forms-notice--success") {
        Outcome::accepted("everest-forms-notice--success")
    } else if goes_elsewhere(answer) {
        Outcome::accepted("redirect_script")
    } else {
        Outcome::unknown("no_notice")
    }
}

/// A form that leads to another page prints a script that goes there ahead of the whole document, blank form and all.
fn goes_elsewhere(answer: &Answer<'_>) -> bool {
    let html = answer.html().unwrap_or_default().trim_ascii_start();
    let ahead = html.get(..html.len().min(AHEAD)).unwrap_or_default().to_ascii_lowercase();
    let Some(end) = memchr::memmem::find(&ahead, b"<!doctype") else { return false };
    let script = ahead.get(..end).unwrap_or_default();
    script.starts_with(b"<script") && memchr::memmem::find(script, b"window.location").is_some()
}

/// Room for that script and a long address.
const AHEAD: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use crate::form::testing::{Case, contact};
    use crate::lead::contact::Key;

    const FIELDS: &str = "everest_forms%5Bid%5D=21&everest_forms%5Bform_fields%5D%5Bfullname%5D=Ana+Ruiz&\
        everest_forms%5Bform_fields%5D%5Bemail%5D=ana.ruiz%40example.com&\
        everest_forms%5Bform_fields%5D%5Bsubject%5D=bob%40example.com&everest_forms%5Bform_fields%5D%5BxYqWk-3%5D=blue&\
        everest_forms%5Bhp%5D=&_wpnonce21=0a1b&_wp_http_referer=%2Fcontact%2F";
    const DONE: &str = r#"{"success":true,"data":{"message":"x","response":"success","form_id":21,"entry_id":77}}"#;

    fn ajax(action: &str, more: &str) -> Case {
        Case::post("/wp-admin/admin-ajax.php", format!("action=everest_forms_{action}&{FIELDS}{more}"))
    }

    #[test]
    fn the_word_in_the_data_decides() {
        for (answer, verdict) in [
            (DONE, "lead"),
            (r#"{"success":true,"data":{"response":"success","redirect_url":"/x"}}"#, "lead"),
            (r#"{"success":true,"data":{"response":"error","error":[{"email":"x"}]}}"#, "validation"),
            (r#"{"success":false,"data":{"response":"error"}}"#, "validation"),
            (r#"{"success":false,"data":{"response":"success"}}"#, "unknown_outcome"),
            (r#"{"success":false,"data":[]}"#, "honeypot"),
            (r#"{"success":false,"data":{"message":"x"}}"#, "validation"),
            (r#"{"success":true,"data":"0a1b2c"}"#, "unknown_outcome"),
            (r#"{"success":true,"data":{"response":"Thanks, Ana"}}"#, "unknown_outcome"),
            ("0", "unknown_outcome"),
        ] {
            let case = ajax("ajax_form_submission", "").json(200, answer);
            assert_eq!(case.verdict(), verdict, "{answer}");
            assert!(!case.read().marker.contains("Ana"));
        }
        assert_eq!(ajax("ajax_form_submission", "").json(500, DONE).verdict(), "upstream_error");
    }

    #[test]
    fn a_page_that_answers_shows_a_notice() {
        for (answer, verdict) in [
            ("<div class='everest-forms-notice everest-forms-notice--success'>x</div>", "lead"),
            ("<div class='everest-forms-notice everest-forms-notice--error'>x</div>", "validation"),
            ("<p class=everest-forms-notice--success></p><p class=everest-forms-notice--error></p>", "validation"),
            ("\n<script>window.location.href = '/x';</script>\n<!DOCTYPE html><form></form>", "lead"),
            ("<!DOCTYPE html><script>window.location.href = '/x';</script><form></form>", "unknown_outcome"),
            ("<script>a();</script><!DOCTYPE html><script>window.location = '/x';</script>", "unknown_outcome"),
            (
                "<script>window.location = '/x';</script><!doctype html><p class=everest-forms-notice--error></p>",
                "validation",
            ),
            ("<style>.everest-forms-notice--success{}</style><form></form>", "unknown_outcome"),
        ] {
            assert_eq!(Case::post("/contact/", FIELDS).html(200, answer).verdict(), verdict, "{answer}");
        }
        assert_eq!(Case::post("/contact/", FIELDS).redirect(302, "/thanks").verdict(), "unknown_outcome");
    }

    #[test]
    fn calls_for_tokens_and_filled_traps_are_no_submissions() {
        assert_eq!(ajax("get_nonce", "").json(200, DONE).verdict(), "not_a_form");
        let trapped = ajax("ajax_form_submission", "&everest_forms%5Bhp%5D=x").json(200, DONE);
        assert_eq!(trapped.verdict(), "honeypot");
    }

    #[test]
    fn the_entry_the_form_and_the_contact_are_read() {
        let reading = ajax("ajax_form_submission", "").json(200, DONE).read();
        assert_eq!((reading.handler, reading.form.as_str()), ("everest", "everest:21"));
        assert_eq!(reading.supplied_event_id.as_ref().unwrap().id, "everest:shop.example:everest:21:77");
        assert_eq!(contact(&reading, Key::Em), Some("ana.ruiz@example.com"));
        assert_eq!((contact(&reading, Key::Fn), contact(&reading, Key::Ln)), (Some("Ana"), Some("Ruiz")));
        assert_eq!(reading.canonical_fields.len(), 4);
        let form = |body: String| Case::post("/contact/", body).read().form;
        assert_eq!(form(FIELDS.replace("everest_forms%5Bid%5D=21&", "")), "everest:21");
        assert!(form(FIELDS.replace("21", "ana%40x")).starts_with("/contact#"));
    }
}
