//! HTML Forms (observed: 1.3.30, sent by its script). It answers robots just as it answers people: the trap has to be
//! there and empty.

use serde_json::Value;

use super::{Handler, Outcome, Post, Recognised, form_id, is_filled, is_number};
use crate::form::answer::Answer;
use crate::reason::Reason;

pub(super) struct HtmlForms;

impl Handler for HtmlForms {
    fn name(&self) -> &'static str {
        "html-forms"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        let id = post.fields.get("_hf_form_id")?;
        Some(Recognised::Form(form_id("html-forms", id)))
    }

    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if let Some(outcome) = Outcome::before_body(answer) {
            return outcome;
        }
        let Some(json) = answer.json() else { return Outcome::unknown("no_json") };
        if is_filled(json.get("error")) {
            return Outcome::refused(Reason::Validation, "error");
        }
        if json.pointer("/message/type").and_then(Value::as_str) != Some("success") {
            return Outcome::unknown("no_message_of_success");
        }
        let trap = post.fields.list.iter().find(|field| is_trap(&field.name));
        if trap.is_none_or(|trap| !trap.value.is_empty()) {
            return Outcome::refused(Reason::Honeypot, "trap");
        }
        Outcome::accepted("message.type:success")
    }

    fn is_own_field(&self, name: &str) -> bool {
        name.starts_with("_hf_")
    }

    fn is_trap(&self, _post: &Post<'_>, name: &str) -> bool {
        is_trap(name)
    }
}

/// `_hf_h` and the form's number.
fn is_trap(name: &str) -> bool {
    name.strip_prefix("_hf_h").is_some_and(is_number)
}

#[cfg(test)]
mod tests {
    use crate::form::testing::Case;

    const DONE: &str = r#"{"message":{"type":"success","text":"x"},"hide_form":false}"#;

    fn case(more: &str) -> Case {
        Case::post("/wp-admin/admin-ajax.php?action=hf_form_submit", format!("{more}&EMAIL=ana.ruiz%40example.com"))
    }

    #[test]
    fn the_kind_of_the_message_decides() {
        for (answer, verdict) in [
            (DONE, "lead"),
            (r#"{"message":{"type":"success","text":"x"},"hide_form":true,"redirect_url":"/x"}"#, "lead"),
            (r#"{"message":{"type":"warning","text":"x"},"error":"required_field_missing"}"#, "validation"),
            (r#"{"message":{"type":"success","text":"x"},"error":"x"}"#, "validation"),
            (r#"{"message":{"type":"warning","text":"x"}}"#, "unknown_outcome"),
            (r#"{"success":true}"#, "unknown_outcome"),
            ("0", "unknown_outcome"),
        ] {
            assert_eq!(case("_hf_form_id=7&_hf_h7=").json(200, answer).verdict(), verdict, "{answer}");
        }
        let case = || case("_hf_form_id=7&_hf_h7=");
        assert_eq!(case().redirect(302, "/thanks").verdict(), "unknown_outcome");
        assert_eq!(case().json(500, DONE).verdict(), "upstream_error");
        assert_eq!(case().read().form, "html-forms:7");
    }

    #[test]
    fn robots_get_the_same_answer() {
        for trap in ["_hf_h7=x", "_hf_h7=+", "a=b"] {
            let verdict = case(&format!("_hf_form_id=7&{trap}")).json(200, DONE).verdict();
            assert_eq!(verdict, "honeypot", "{trap}");
        }
        assert!(!case("_hf_form_id=ana%40example.com").read().form.contains("ana"));
    }
}
