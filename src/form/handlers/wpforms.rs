//! WPForms (observed: Lite 2.0.0.2). Field names are numbers; only the page, or the parts of a name, tell what they are. A
//! caught robot is answered `success:true` with an empty confirmation.

use serde_json::Value;

use super::{Handler, Outcome, Post, Recognised, form_id, is_filled, redirect, wp_json};
use crate::form::answer::Answer;
use crate::form::html;
use crate::form::roles::{Declared, Role};
use crate::lead::contact::Key;
use crate::reason::Reason;

pub(super) struct WpForms;

/// The parts of name and address fields: of all that a request says only these tell a role.
const PARTS: &[(&str, Option<Role>)] = &[
    ("[first]", Some(Role::Match(Key::Fn))),
    ("[last]", Some(Role::Match(Key::Ln))),
    ("[middle]", None),
    ("[address1]", None),
    ("[address2]", None),
    ("[city]", Some(Role::Match(Key::Ct))),
    ("[state]", Some(Role::Match(Key::St))),
    ("[postal]", Some(Role::Match(Key::Zp))),
    ("[country]", Some(Role::Match(Key::Country))),
    ("[primary]", Some(Role::Match(Key::Em))),
    // Repeats the first.
    ("[secondary]", None),
];

impl Handler for WpForms {
    fn name(&self) -> &'static str {
        "wpforms"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        let id = post.fields.get("wpforms[id]");
        let action = post.action();
        if let Some(action) = action.filter(|action| action.starts_with("wpforms_"))
            && action != "wpforms_submit"
        {
            return Some(Recognised::Never(Reason::NotAForm));
        }
        (post.fields.has_prefix("wpforms[fields]") || post.is_ajax("wpforms_submit"))
            .then(|| Recognised::Form(id.and_then(|id| form_id("wpforms", id))))
    }

    fn roles(&self, post: &Post<'_>, _answer: Option<&Answer<'_>>) -> Vec<Declared> {
        let parts =
            post.fields.list.iter().filter(|field| field.name.starts_with("wpforms[fields][")).filter_map(|field| {
                let (_, role) = PARTS.iter().find(|(part, _)| field.name.ends_with(part))?;
                Some(Declared { field: field.name.clone(), role: *role, source: "handler" })
            });
        parts.collect()
    }

    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if let Some((success, data)) = wp_json(answer) {
            return of_json(success, data);
        }
        if let Some(said) = redirect::before_page(post, answer) {
            return said;
        }
        let id = post.fields.get("wpforms[id]").filter(|id| id.bytes().all(|b| b.is_ascii_digit()) && !id.is_empty());
        let Some(id) = id else { return Outcome::unknown("no_form_id") };
        // Of several forms on the page, the one that was posted.
        if answer.has(&format!("#wpforms-{id} .wpforms-error-container, #wpforms-{id} em.wpforms-error")) {
            return Outcome::refused(Reason::Validation, "wpforms-error");
        }
        if answer.has(&format!("#wpforms-confirmation-{id}")) {
            return Outcome::accepted("wpforms-confirmation");
        }
        Outcome::unknown("no_confirmation")
    }

    fn page_url(&self, post: &Post<'_>) -> Option<String> {
        post.fields.get("page_url").map(str::to_owned)
    }

    fn is_own_field(&self, name: &str) -> bool {
        (name.starts_with("wpforms[") && !name.starts_with("wpforms[fields]"))
            || matches!(name, "page_title" | "page_url" | "page_id" | "url_referer")
    }
}

fn of_json(success: bool, data: &Value) -> Outcome {
    if !success {
        return if is_filled(data.get("errors")) {
            Outcome::refused(Reason::Validation, "errors")
        } else {
            Outcome::refused(Reason::Validation, "success:false")
        };
    }
    if is_filled(data.get("redirect_url")) {
        return Outcome::accepted("redirect_url");
    }
    match data.get("confirmation").and_then(Value::as_str) {
        Some(confirmation) if html::has(confirmation.as_bytes(), ".wpforms-error-container") => {
            Outcome::refused(Reason::Validation, "wpforms-error")
        }
        Some(confirmation) if !confirmation.trim().is_empty() => Outcome::accepted("confirmation"),
        // What a robot is told: all is well, and nothing to show.
        Some(_) => Outcome::refused(Reason::Honeypot, "confirmation:empty"),
        None => Outcome::unknown("no_confirmation"),
    }
}

#[cfg(test)]
mod tests {
    use crate::form::testing::{Case, contact};
    use crate::lead::contact::Key;

    const AJAX: &str = "/wp-admin/admin-ajax.php";
    const FIELDS: &str = "wpforms[fields][1][first]=Ana&wpforms[fields][1][last]=Ru%C3%ADz&\
        wpforms[fields][2]=ana.ruiz%40example.com&wpforms[fields][4]=0171+555+01234&wpforms[fields][3]=Hello&\
        wpforms[fields][7]=&wpforms[id]=10&page_url=https%3A%2F%2Fshop.example%2Fquote&url_referer=&\
        wpforms[submit]=wpforms-submit&wpforms[token]=abc";
    const PAGE: &str = r#"<form id="wpforms-form-10"><div class="wpforms-field wpforms-field-email" data-field-id="2">
        <input type="text" name="wpforms[fields][2]"></div><div class="wpforms-field wpforms-field-text">
        <label for="p">Telefon</label><input id="p" name="wpforms[fields][4]"></div>
        <div class="wpforms-field wpforms-field-textarea"><label for="c">E-Mail text</label>
        <textarea id="c" name="wpforms[fields][3]"></textarea></div><input type="hidden" name="wpforms[id]" value="10"></form>"#;

    fn ajax() -> Case {
        Case::post(AJAX, format!("{FIELDS}&action=wpforms_submit"))
    }

    #[test]
    fn the_ajax_answer_is_a_confirmation_or_it_is_no_lead() {
        for (answer, verdict) in [
            (
                r#"{"success":true,"data":{"confirmation":"<div id=\"wpforms-confirmation-10\"><p>Danke</p></div>"}}"#,
                "lead",
            ),
            (r#"{"success":true,"data":{"form_id":10,"redirect_url":"https:\/\/shop.example\/thanks"}}"#, "lead"),
            (r#"{"success":true,"data":{"confirmation":""}}"#, "honeypot"),
            (r#"{"success":true,"data":{"confirmation":" \n"}}"#, "honeypot"),
            (r#"{"success":true,"data":{}}"#, "unknown_outcome"),
            (r#"{"success":false,"data":{"errors":{"field":{"wpforms[fields][2]":"x"}}}}"#, "validation"),
            (r#"{"success":false,"data":{"errors":{"general":{"header":"<div>"}}}}"#, "validation"),
            (r#"{"success":false}"#, "validation"),
            ("-1", "unknown_outcome"),
        ] {
            assert_eq!(ajax().json(200, answer).verdict(), verdict, "{answer}");
        }
    }

    #[test]
    fn without_scripts_the_page_holds_the_confirmation_of_this_very_form() {
        let page = || Case::post("/quote", FIELDS);
        for (html, verdict) in [
            (
                r#"<script src="/wpforms-confirmation.js"></script><form id="wpforms-form-10"></form>"#,
                "unknown_outcome",
            ),
            (r#"<div class="wpforms-confirmation-container-full" id="wpforms-confirmation-10">"#, "lead"),
            (r#"<div class="wpforms-confirmation-container-full" id="wpforms-confirmation-11">"#, "unknown_outcome"),
            (r#"<div id="wpforms-10"><div class="wpforms-error-container">x</div></div>"#, "validation"),
            (r#"<div id="wpforms-10"><em class="wpforms-error">x</em></div>"#, "validation"),
        ] {
            assert_eq!(page().html(200, html).verdict(), verdict, "{html}");
        }
        assert_eq!(page().redirect(302, "/thanks").verdict(), "lead");
        assert_eq!(page().redirect(302, "/wp-login.php").verdict(), "login");
    }

    #[test]
    fn numbers_get_their_meaning_from_the_page_and_parts_from_themselves() {
        let accepted = r#"{"success":true,"data":{"confirmation":"<p>ok</p>"}}"#;
        let reading = ajax().page(PAGE).json(200, accepted).read();
        for (key, value) in
            [(Key::Em, "ana.ruiz@example.com"), (Key::Ph, "0171 555 01234"), (Key::Fn, "Ana"), (Key::Ln, "Ru\u{ed}z")]
        {
            assert_eq!(contact(&reading, key), Some(value));
        }
        assert_eq!(
            (reading.form.as_str(), reading.page_url.as_deref()),
            ("wpforms:10", Some("https://shop.example/quote"))
        );
        let blind = ajax().json(200, accepted).read();
        assert_eq!(contact(&blind, Key::Em), Some("ana.ruiz@example.com"), "the only address there is");
        assert_eq!(contact(&blind, Key::Ph), None, "a number may be anything");
        assert_eq!(blind.roles.doubtful[0].field, "wpforms[fields][4]");
    }

    #[test]
    fn hostile_ids_name_no_form() {
        let body = FIELDS.replace("wpforms[id]=10", "wpforms[id]=10%22%5D%2C*");
        let reading = Case::post("/quote", body).html(200, "<div id=wpforms-confirmation-10>").read();
        assert_eq!(reading.marker, "no_form_id");
        assert!(!reading.form.contains('"'));
    }
}
