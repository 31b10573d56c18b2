//! Spectra's form block (observed: 1.23.5). Its fields come by their labels, packed in one or as parts of one. It answers
//! `success:true` either way; the number beside it is what its script goes by.

use super::{Handler, Outcome, Post, Recognised, wp_json};
use crate::form::answer::Answer;
use crate::form::body::{self, Fields};
use crate::reason::Reason;

pub(super) struct Spectra;

impl Handler for Spectra {
    fn name(&self) -> &'static str {
        "spectra"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        post.action().filter(|action| *action == "uagb_process_forms")?;
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
        if let Some(outcome) = Outcome::before_body(answer) {
            return outcome;
        }
        let Some((success, data)) = wp_json(answer) else { return Outcome::unknown("json_without_success") };
        match data.as_u64() {
            Some(200) if success => Outcome::accepted("data:200"),
            // A captcha that was not solved, or a mail that was not sent.
            Some(400) => Outcome::refused(Reason::Validation, "data:400"),
            _ => Outcome::unknown("data"),
        }
    }

    fn is_own_field(&self, name: &str) -> bool {
        OWN.contains(&name.split('[').next().unwrap_or_default())
    }
}

/// Where its mail goes, and captchas: the page's own words, no visitor's.
const OWN: &[&str] = &["nonce", "sendAfterSubmitEmail", "captcha_response", "after_submit_data", "uagab_captcha_keys"];

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
    fn the_number_decides_and_not_the_success() {
        let packed = || case(r#"{"Email":"ana.ruiz@example.com"}"#);
        for (answer, verdict) in [
            (r#"{"success":true,"data":200}"#, "lead"),
            (r#"{"success":true,"data":400}"#, "validation"),
            (r#"{"success":false,"data":400}"#, "validation"),
            (r#"{"success":false,"data":200}"#, "unknown_outcome"),
            (r#"{"success":true}"#, "unknown_outcome"),
            ("-1", "unknown_outcome"),
        ] {
            assert_eq!(packed().json(200, answer).verdict(), verdict, "{answer}");
        }
        assert_eq!(packed().read().handler, "spectra");
        assert_eq!(packed().redirect(302, "/thanks").verdict(), "unknown_outcome");
        assert_eq!(packed().html(500, "").verdict(), "upstream_error");
    }

    #[test]
    fn fields_are_read_by_their_labels() {
        let body = "action=uagb_process_forms&nonce=0a&form_data%5BVorname%5D=Ana&form_data%5BE-Mail%5D=\
            ana.ruiz%40example.com&after_submit_data%5Bto%5D=office%40shop.example";
        let reading = Case::post("/wp-admin/admin-ajax.php", body).json(200, r#"{"success":true,"data":200}"#).read();
        assert_eq!(contact(&reading, Key::Em), Some("ana.ruiz@example.com"));
        assert_eq!(contact(&reading, Key::Fn), Some("Ana"));
        let body =
            body.replace("form_data%5BE-Mail%5D=ana.ruiz%40example.com&", "form_data%5BTelefon%5D=017155501234&");
        let reading = Case::post("/wp-admin/admin-ajax.php", body).json(200, r#"{"success":true,"data":200}"#).read();
        assert_eq!(contact(&reading, Key::Em), None, "the shop's own address is nobody's");
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
