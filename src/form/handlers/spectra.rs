//! Spectra's form block. Its fields come packed in one. What its answers mean is not known, so only a rule can count
//! them.

use super::{Handler, Outcome, Post, Recognised};
use crate::form::answer::Answer;
use crate::form::body::{self, Fields};

pub(super) struct Spectra;

impl Handler for Spectra {
    fn name(&self) -> &'static str {
        "spectra"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        post.action().filter(|action| action == "uagb_process_forms")?;
        Some(Recognised::Form(None))
    }

    fn fields(&self, post: &Post<'_>) -> Option<Fields> {
        let packed = post.fields.get(PACKED)?;
        // As JSON or as a query: this type stands for either.
        let inner = body::decode("application/x-www-form-urlencoded", packed.as_bytes(), None).ok()?;
        let mut fields = Fields::default();
        let outer = post.fields.list.iter().filter(|field| field.name != PACKED);
        for field in outer.chain(&inner.list) {
            fields.push(field.name.clone(), field.value.clone());
        }
        Some(fields)
    }

    fn outcome(&self, _post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        Outcome::before_body(answer).unwrap_or_else(|| Outcome::unknown("handler_not_supported:spectra"))
    }
}

const PACKED: &str = "form_data";

#[cfg(test)]
mod tests {
    use crate::config::{FormRule, SuccessRule};
    use crate::form::testing::{Case, contact};
    use crate::lead::contact::Key;

    fn case(packed: &str) -> Case {
        let packed: String = form_urlencoded::byte_serialize(packed.as_bytes()).collect();
        let body = format!("action=uagb_process_forms&nonce=0a&form_data={packed}");
        Case::post("/wp-admin/admin-ajax.php", body).json(200, r#"{"success":true,"data":200}"#)
    }

    #[test]
    fn its_answers_stay_unknown_and_its_failures_do_not() {
        let case = case(r#"{"Email":"ana.ruiz@example.com"}"#);
        assert_eq!((case.verdict(), case.read().handler), ("unknown_outcome", "spectra"));
        assert_eq!(case.redirect(302, "/thanks").verdict(), "unknown_outcome");
        assert_eq!(self::case("").html(500, "").verdict(), "upstream_error");
    }

    #[test]
    fn packed_fields_are_read_so_that_a_rule_can_count_them() {
        for packed in
            [r#"{"id":"0a","First Name":"Ana","Email":"ana.ruiz@example.com"}"#, "Email=ana.ruiz%40example.com"]
        {
            let reading = case(packed).read();
            assert_eq!(contact(&reading, Key::Em), Some("ana.ruiz@example.com"), "{packed}");
            assert!(reading.canonical_fields.iter().any(|(name, _)| name == "Email"));
        }
        let success = SuccessRule { status: vec![200], ..SuccessRule::default() };
        let rule =
            FormRule { path: Some("/wp-admin/admin-ajax.php".into()), success: Some(success), ..FormRule::default() };
        assert_eq!(case("Email=ana.ruiz%40example.com").rule(rule).verdict(), "lead");
    }
}
