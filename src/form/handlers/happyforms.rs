//! HappyForms (observed: 1.26.15). A post that it did not take is answered `success:true` too, and the form comes back
//! with its fields. What counts is the notice, in a form that has no fields left.

use super::declare::{self, By};
use super::{Handler, Outcome, Post, Recognised, form_id, is_number, wp_json};
use crate::form::answer::Answer;
use crate::form::body::Field;
use crate::form::html;
use crate::form::roles::Declared;
use crate::reason::Reason;

pub(super) struct HappyForms;

impl Handler for HappyForms {
    fn name(&self) -> &'static str {
        "happyforms"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        let action = post.action().filter(|action| action.starts_with("happyforms_"))?;
        if action != "happyforms_message" {
            return Some(Recognised::Never(Reason::NotAForm));
        }
        Some(Recognised::Form(id_of(post).and_then(|id| form_id("happyforms", id))))
    }

    fn roles(&self, post: &Post<'_>, _answer: Option<&Answer<'_>>) -> Vec<Declared> {
        post.fields.list.iter().filter_map(role).collect()
    }

    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if let Some(outcome) = Outcome::before_body(answer) {
            return outcome;
        }
        let Some((success, data)) = wp_json(answer) else { return Outcome::unknown("json_without_success") };
        let drawn = data.get("html").and_then(serde_json::Value::as_str).unwrap_or_default().as_bytes();
        if !success {
            return Outcome::refused(Reason::Validation, "success:false");
        }
        if html::has(drawn, ".happyforms-message-notice.error") {
            return Outcome::refused(Reason::Validation, "happyforms-message-notice.error");
        }
        let Some(id) = id_of(post) else { return Outcome::unknown("no_form_id") };
        if html::has(drawn, &format!("[name^='{id}_'], [name^='{id}-']")) {
            let is_step = post.fields.get("happyforms_step").is_some_and(|step| !step.trim().is_empty());
            return if is_step {
                Outcome::refused(Reason::Step, "happyforms_step")
            } else {
                Outcome::unknown("form_drawn_again")
            };
        }
        if html::has(drawn, ".happyforms-message-notice.success") {
            return Outcome::accepted("happyforms-message-notice.success");
        }
        Outcome::unknown("no_notice")
    }

    fn is_own_field(&self, name: &str) -> bool {
        name.starts_with("happyforms_")
    }

    fn is_trap(&self, _post: &Post<'_>, name: &str) -> bool {
        name.strip_suffix("-single_line_text").is_some_and(is_number)
    }
}

/// `24_single_line_text_0` → form, type.
fn typed(name: &str) -> Option<(&str, &str)> {
    let name = name.split('[').next()?;
    let (id, rest) = name.split_once('_')?;
    let (kind, number) = rest.rsplit_once('_')?;
    (is_number(id) && is_number(number)).then_some((id, kind))
}

fn id_of<'a>(post: &Post<'a>) -> Option<&'a str> {
    post.fields.list.iter().find_map(|field| typed(&field.name)).map(|(id, _)| id)
}

fn role(field: &Field) -> Option<Declared> {
    let (_, kind) = typed(&field.name).filter(|_| !field.name.contains('['))?;
    let role = match kind {
        "email" => declare::EM,
        "phone" => declare::PH,
        _ => return None,
    };
    Some(declare::is(field, role, By::Handler))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::form::testing::{Case, contact};
    use crate::lead::contact::Key;

    const FIELDS: &str = "action=happyforms_message&24_email_2=ana.ruiz%40example.com&24_phone_5=0171+555+01234&\
        24_single_line_text_0=bob&24_checkbox_4%5B%5D=0&24-single_line_text=&happyforms_form_id=24";
    const DONE: &str = "<form><div class='happyforms-message-notice success'>x</div></form>";

    fn case(target: &'static str, more: &str, success: bool, html: &str) -> Case {
        let answer = json!({"success": success, "data": {"html": html}}).to_string();
        Case::post(target, format!("{FIELDS}{more}")).json(200, &answer)
    }

    #[test]
    fn only_a_notice_in_a_form_without_fields_is_a_success() {
        let again = format!("{DONE}<input name='24_email_2' value=''>");
        let trap_again = format!("{DONE}<input name='24-single_line_text'>");
        let other = format!("{DONE}<input name='2_email_4'><input type=hidden name=happyforms_form_id>");
        let both = format!("{DONE}<div class='happyforms-message-notice error'>x</div>");
        for (success, html, verdict) in [
            (true, DONE, "lead"),
            (true, other.as_str(), "lead"),
            (true, again.as_str(), "unknown_outcome"),
            (true, trap_again.as_str(), "unknown_outcome"),
            (true, "<form><input name='24_email_2'></form>", "unknown_outcome"),
            (true, "", "unknown_outcome"),
            (true, both.as_str(), "validation"),
            (true, "<p class='happyforms-message-notice error'>", "validation"),
            (false, "<p class='happyforms-message-notice error'>", "validation"),
            (false, DONE, "validation"),
        ] {
            for target in ["/wp-admin/admin-ajax.php", "/contact/"] {
                assert_eq!(case(target, "", success, html).verdict(), verdict, "{success} {html}");
            }
        }
        let plain = Case::post("/contact/", FIELDS);
        assert_eq!(plain.html(200, DONE).verdict(), "unknown_outcome");
        assert_eq!(Case::post("/contact/", FIELDS).json(200, r#"{"success":true}"#).verdict(), "unknown_outcome");
        assert_eq!(Case::post("/contact/", FIELDS).redirect(302, "/thanks").verdict(), "unknown_outcome");
    }

    #[test]
    fn steps_traps_and_other_calls_are_no_submissions() {
        let step = "<input name='24_textarea_9'>";
        assert_eq!(case("/contact/", "&happyforms_step=1", true, step).verdict(), "step");
        assert_eq!(case("/contact/", "&happyforms_step=2", true, DONE).verdict(), "lead");
        assert_eq!(case("/contact/", "&24-single_line_text=x", true, DONE).verdict(), "honeypot");
        let other = Case::post("/wp-admin/admin-ajax.php", FIELDS.replace("forms_message", "forms_preview"));
        assert_eq!(other.json(200, r#"{"success":true,"data":{}}"#).verdict(), "not_a_form");
    }

    #[test]
    fn types_stand_in_the_names() {
        let reading = case("/contact/", "", true, DONE).read();
        assert_eq!((reading.handler, reading.form.as_str()), ("happyforms", "happyforms:24"));
        assert_eq!(contact(&reading, Key::Em), Some("ana.ruiz@example.com"));
        assert_eq!(contact(&reading, Key::Ph), Some("0171 555 01234"));
        assert_eq!(contact(&reading, Key::Fn), None);
        assert!(reading.roles.sources.iter().all(|source| source.source == "handler"));
    }

    #[test]
    fn a_form_without_a_number_is_never_taken_for_done() {
        let body = "action=happyforms_message&%5D%2C*_email_2=ana.ruiz%40example.com";
        let answer = json!({"success": true, "data": {"html": DONE}}).to_string();
        let case = Case::post("/contact/", body).json(200, &answer);
        assert_eq!((case.verdict(), case.read().marker.as_str()), ("unknown_outcome", "no_form_id"));
    }
}
