//! Formidable Forms (observed: 6.34). Field names are numbers; its AJAX answer is JSON under `text/html` and says
//! `pass:false` to success and failure alike.

use serde_json::Value;

use super::{Handler, Outcome, Post, Recognised, form_id, generic, is_filled, redirect};
use crate::form::answer::Answer;
use crate::form::html;
use crate::form::roles::{Declared, Role};
use crate::lead::contact::Key;
use crate::reason::Reason;

pub(super) struct Formidable;

/// The parts of name and address fields.
const PARTS: &[(&str, Option<Role>)] = &[
    ("[first]", Some(Role::Match(Key::Fn))),
    ("[middle]", None),
    ("[last]", Some(Role::Match(Key::Ln))),
    ("[line1]", None),
    ("[line2]", None),
    ("[city]", Some(Role::Match(Key::Ct))),
    ("[state]", Some(Role::Match(Key::St))),
    ("[zip]", Some(Role::Match(Key::Zp))),
    ("[country]", Some(Role::Match(Key::Country))),
];

impl Handler for Formidable {
    fn name(&self) -> &'static str {
        "formidable"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        let form = || {
            let id = post.fields.get("form_id");
            Recognised::Form(id.and_then(|id| form_id("formidable", id)))
        };
        if post.path_ends("/wp-admin/admin-ajax.php") {
            let action = post.action()?;
            return match action.strip_prefix("frm_")? {
                "entries_create" => Some(form()),
                // Validation on the way, uploads, changes of what was sent before.
                _ => Some(Recognised::Never(Reason::Step)),
            };
        }
        match post.fields.get("frm_action") {
            Some("create") => Some(form()),
            Some(_) => Some(Recognised::Never(Reason::Step)),
            None => None,
        }
    }

    fn roles(&self, post: &Post<'_>, _answer: Option<&Answer<'_>>) -> Vec<Declared> {
        let parts = post.fields.list.iter().filter(|field| field.name.starts_with("item_meta[")).filter_map(|field| {
            let (_, role) = PARTS.iter().find(|(part, _)| field.name.ends_with(part))?;
            Some(Declared { field: field.name.clone(), role: *role, source: "handler" })
        });
        parts.collect()
    }

    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if let Some(said) = redirect::before_page(post, answer) {
            return said;
        }
        if let Some(json) = answer.json() {
            return of_json(json);
        }
        let id = post.fields.get("form_id").filter(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()));
        let Some(id) = id else { return Outcome::unknown("no_form_id") };
        let container = format!("#frm_form_{id}_container");
        if answer.has(&format!("{container} .frm_error_style, {container} .frm_error")) {
            return Outcome::refused(Reason::Validation, "frm_error");
        }
        if answer.has(&format!("{container} .frm_message")) {
            return Outcome::accepted("frm_message");
        }
        if answer.has(&container) {
            return Outcome::unknown("no_message");
        }
        // A form may be set to show another page's content where it stood.
        generic::in_place_of_form(post, answer).unwrap_or_else(|| Outcome::unknown("no_message"))
    }

    fn is_own_field(&self, name: &str) -> bool {
        name.starts_with("frm_")
            || matches!(name, "item_key" | "item_meta[0]" | "unique_id" | "antispam_token" | "form_key")
    }
}

fn of_json(json: &Value) -> Outcome {
    if is_filled(json.get("errors")) || is_filled(json.get("error_message")) {
        return Outcome::refused(Reason::Validation, "errors");
    }
    // The script is told to post the form again, as a browser would.
    if json.get("pass").and_then(Value::as_bool) == Some(true) {
        return Outcome::refused(Reason::Step, "pass:true");
    }
    if is_filled(json.get("redirect")) {
        return Outcome::accepted("redirect");
    }
    let content = json.get("content").and_then(Value::as_str).unwrap_or_default().as_bytes();
    if html::has(content, ".frm_error_style, .frm_error") {
        return Outcome::refused(Reason::Validation, "frm_error");
    }
    if html::has(content, ".frm_message") {
        return Outcome::accepted("frm_message");
    }
    Outcome::unknown("no_message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::testing::{Case, contact};

    const FIELDS: &str = "frm_action=create&form_id=2&form_key=k0x&item_meta[0]=&frm_submit_entry_2=abc&\
        item_meta[6][first]=Ana&item_meta[6][last]=Ru%C3%ADz&item_meta[7]=ana.ruiz%40example.com&\
        item_meta[8]=0171+555+01234&item_meta[9]=Hello&item_meta[18]=&frm_state=xyz";
    const PAGE: &str = r#"<form class="frm-show-form"><input type="hidden" name="form_id" value="2">
        <input type="email" name="item_meta[7]"><input type="tel" name="item_meta[8]">
        <label for="v">If you are human, leave this blank</label><input id="v" class="frm_verify" name="item_meta[18]"></form>"#;

    #[test]
    fn the_page_holds_the_message_of_this_very_form() {
        for (html, verdict) in [
            (r#"<div id="frm_form_2_container"><div class="frm_message" role="status">Danke</div></div>"#, "lead"),
            (r#"<div id="frm_form_3_container"><div class="frm_message">x</div></div>"#, "unknown_outcome"),
            (r#"<div id="frm_form_2_container"><div class="frm_error_style">x</div></div>"#, "validation"),
            (
                r#"<div id="frm_form_2_container"><div class="frm_message"></div><p class="frm_error">x</p></div>"#,
                "validation",
            ),
            (r#"<div id="frm_form_2_container"><form></form></div>"#, "unknown_outcome"),
        ] {
            assert_eq!(Case::post("/contact", FIELDS).html(200, html).verdict(), verdict, "{html}");
        }
        assert_eq!(Case::post("/contact", FIELDS).redirect(302, "/thanks").verdict(), "lead");
    }

    #[test]
    fn another_page_in_place_of_the_form_is_a_success() {
        for (html, verdict) in [
            ("<main><p>What happens next</p></main>".to_owned(), "lead"),
            ("<div id='frm_form_2_container'>x</div>".to_owned(), "unknown_outcome"),
            (format!("<p>x</p>{PAGE}"), "unknown_outcome"),
            ("<b>Fatal error</b>: x".to_owned(), "unknown_outcome"),
            (String::new(), "unknown_outcome"),
        ] {
            assert_eq!(Case::post("/contact", FIELDS).page(PAGE).html(200, &html).verdict(), verdict, "{html}");
            assert_eq!(Case::post("/contact", FIELDS).html(200, &html).verdict(), "unknown_outcome", "{html}");
        }
    }

    #[test]
    fn the_ajax_answer_is_json_under_any_type() {
        let ajax = || Case::post("/wp-admin/admin-ajax.php", format!("{FIELDS}&action=frm_entries_create"));
        for (answer, verdict) in [
            (r#"{"errors":[],"content":"<div class=\"frm_message\" role=\"status\">ok<\/div>","pass":false}"#, "lead"),
            (r#"{"redirect":"https:\/\/shop.example\/ok","errors":[],"content":"","pass":false}"#, "lead"),
            (r#"{"errors":{"7":"x"},"content":"","pass":false,"error_message":"<div>"}"#, "validation"),
            (r#"{"errors":[],"content":"","pass":true}"#, "step"),
            (r#"{"errors":[],"content":"","pass":false}"#, "unknown_outcome"),
        ] {
            assert_eq!(ajax().html(200, answer).verdict(), verdict, "{answer}");
        }
        let check = Case::post("/wp-admin/admin-ajax.php", format!("{FIELDS}&action=frm_validate_field"));
        assert_eq!(check.verdict(), "step");
        assert_eq!(Case::post("/contact", FIELDS.replace("create", "update")).verdict(), "step");
    }

    #[test]
    fn numbers_get_their_meaning_from_the_page_and_its_trap_is_known() {
        let done = r#"<div id="frm_form_2_container"><div class="frm_message">ok</div></div>"#;
        let reading = Case::post("/contact", FIELDS).page(PAGE).html(200, done).read();
        for (key, value) in
            [(Key::Em, "ana.ruiz@example.com"), (Key::Ph, "0171 555 01234"), (Key::Fn, "Ana"), (Key::Ln, "Ru\u{ed}z")]
        {
            assert_eq!(contact(&reading, key), Some(value));
        }
        assert_eq!(reading.form, "formidable:2");
        let robot = FIELDS.replace("item_meta[18]=", "item_meta[18]=x");
        assert_eq!(Case::post("/contact", robot).page(PAGE).html(200, done).verdict(), "honeypot");
    }
}
