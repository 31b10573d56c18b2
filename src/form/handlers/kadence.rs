//! Kadence Blocks' two form blocks (3.7). A script's posts only; besides `success` the answer draws its notice.

use super::{Handler, Outcome, Post, Recognised, form_id};
use crate::form::answer::Answer;
use crate::form::html;
use crate::form::words::Words;
use crate::reason::Reason;

pub(super) struct Kadence;

impl Handler for Kadence {
    fn name(&self) -> &'static str {
        "kadence"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        let is_action = post.action().is_some_and(|action| ACTIONS.contains(&action));
        let id = ID_FIELDS.iter().find_map(|name| post.fields.get(name));
        (is_action || id.is_some()).then(|| Recognised::Form(id.and_then(|id| form_id("kadence", id))))
    }

    fn outcome(&self, _post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if let Some(outcome) = Outcome::before_body(answer) {
            return outcome;
        }
        let Some(json) = answer.json() else { return Outcome::unknown("no_json") };
        let drawn = json.get("html").or_else(|| json.get("data")?.get("html")).and_then(serde_json::Value::as_str);
        let is_drawn = drawn.is_some_and(|drawn| html::has(drawn.as_bytes(), SUCCESS));
        match json.get("success").and_then(serde_json::Value::as_bool) {
            Some(false) => Outcome::refused(Reason::Validation, "success:false"),
            Some(true) if is_drawn => Outcome::accepted("form-success"),
            Some(true) => Outcome::unknown("success_without_notice"),
            None => Outcome::unknown("json_without_success"),
        }
    }

    fn is_own_field(&self, name: &str) -> bool {
        name.starts_with("_kb_")
    }

    fn is_trap(&self, _post: &Post<'_>, name: &str) -> bool {
        // The same prefix has the form's ids, which are always there; traps are named after what bots look for.
        let Some(rest) = name.strip_prefix("_kb_adv_form_") else { return false };
        Words::of(rest).has(&["verify", "email", "mail"])
    }
}

const ACTIONS: &[&str] = &["kb_process_ajax_submit", "kb_process_advanced_form_submit"];
/// The form's id, of the older block and of the newer.
const ID_FIELDS: &[&str] = &["_kb_form_id", "_kb_adv_form_id"];
const SUCCESS: &str = ".kadence-blocks-form-success, .kb-adv-form-success";

#[cfg(test)]
mod tests {
    use crate::form::testing::{Case, contact};
    use crate::lead::contact::Key;

    const SIMPLE: &str = "action=kb_process_ajax_submit&_kb_form_id=12_0a-1b&kb_field_0=Ana+Ruiz&\
        kb_field_1=ana.ruiz%40example.com&_kb_verify_email=";
    const ADVANCED: &str = "action=kb_process_advanced_form_submit&_kb_adv_form_id=51&_kb_adv_form_post_id=9&\
        field0a1b2c-3d=Ana&field0a1b2c-4e=ana.ruiz%40example.com";

    fn case(body: &str, status: u16, answer: &str) -> Case {
        Case::post("/wp-admin/admin-ajax.php", body).json(status, answer)
    }

    #[test]
    fn success_counts_with_its_notice() {
        for (status, answer, verdict) in [
            (
                200,
                r#"{"success":true,"html":"<div class='kadence-blocks-form-message kadence-blocks-form-success'>x"}"#,
                "lead",
            ),
            (200, r#"{"success":true,"html":"<div class='kb-adv-form-message kb-adv-form-success'>x</div>"}"#, "lead"),
            (200, r#"{"success":true,"data":{"html":"<p class=kb-adv-form-success>x</p>"}}"#, "lead"),
            (200, r#"{"success":true,"html":"<p>kb-adv-form-success</p>"}"#, "unknown_outcome"),
            (200, r#"{"success":true}"#, "unknown_outcome"),
            (200, r#"{"success":false,"data":{"html":"<p class=kb-adv-form-success>x</p>"}}"#, "validation"),
            (200, r#"{"success":"1"}"#, "unknown_outcome"),
            (200, "0", "unknown_outcome"),
            (500, r#"{"success":false}"#, "upstream_error"),
        ] {
            for body in [SIMPLE, ADVANCED] {
                assert_eq!(case(body, status, answer).verdict(), verdict, "{status} {answer}");
            }
        }
        assert_eq!(Case::post("/contact/", SIMPLE).redirect(302, "/thanks").verdict(), "unknown_outcome");
    }

    #[test]
    fn traps_are_told_from_the_ids_beside_them() {
        let done = r#"{"success":true,"html":"<p class=kb-adv-form-success></p>"}"#;
        for (more, verdict) in [
            ("&_kb_verify_email=x", "honeypot"),
            ("&_kb_adv_form_verify_email=x", "honeypot"),
            ("&_kb_adv_form_verify_email=", "lead"),
            ("&_kb_adv_form_nonce=x&_kb_adv_form_title=x", "lead"),
        ] {
            assert_eq!(case(&format!("{ADVANCED}{more}"), 200, done).verdict(), verdict, "{more}");
        }
    }

    #[test]
    fn the_form_is_named_and_the_address_found_by_its_looks() {
        for (body, form) in [(SIMPLE, "kadence:12_0a-1b"), (ADVANCED, "kadence:51")] {
            let reading = case(body, 200, r#"{"success":true}"#).read();
            assert_eq!((reading.handler, reading.form.as_str()), ("kadence", form));
            assert_eq!(contact(&reading, Key::Em), Some("ana.ruiz@example.com"));
            assert_eq!(reading.canonical_fields.len(), 2);
        }
        let hostile = case(&SIMPLE.replace("12_0a-1b", "%3Cana%40example.com"), 200, "{}").read();
        assert!(hostile.form.starts_with("/contact#"), "{}", hostile.form);
    }
}
