//! SureForms (observed: 2.11.0). A REST call by a script; each field's name carries its type and its label.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::declare::{self, By};
use super::{Handler, Outcome, Post, Recognised, form_id, is_filled, json_id};
use crate::form::answer::Answer;
use crate::form::body::Field;
use crate::form::names::{self, Meaning};
use crate::form::roles::Declared;
use crate::reason::Reason;

const NAMESPACE: &str = "/sureforms/v1/";

pub(super) struct SureForms;

impl Handler for SureForms {
    fn name(&self) -> &'static str {
        "sureforms"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        match post.rest_route(NAMESPACE) {
            Some(route) if route.ends_with("/submit-form") => {}
            Some(_) => return Some(Recognised::Never(Reason::NotAForm)),
            None if post.fields.has_prefix("srfm-") => {}
            None => return None,
        }
        Some(Recognised::Form(post.fields.get("form-id").and_then(|id| form_id("sureforms", id))))
    }

    fn roles(&self, post: &Post<'_>, _answer: Option<&Answer<'_>>) -> Vec<Declared> {
        post.fields.list.iter().filter_map(role).collect()
    }

    fn outcome(&self, _post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        let json = answer.json();
        let code = json.and_then(|json| json.get("code").or_else(|| json.get("data")?.get("code")));
        if code.and_then(Value::as_str) == Some("srfm_token_invalid") {
            return Outcome::refused(Reason::Nonce, "srfm_token_invalid");
        }
        if let Some(outcome) = Outcome::before_body(answer) {
            return outcome;
        }
        let Some(json) = json else { return Outcome::unknown("no_json") };
        let data = json.get("data").unwrap_or(&Value::Null);
        if is_filled(data.get("field_errors")) {
            return Outcome::refused(Reason::Validation, "field_errors");
        }
        match json.get("success").and_then(Value::as_bool) {
            Some(false) => Outcome::refused(Reason::Validation, "success:false"),
            Some(true) if json_id(data.get("submission_id")).is_some() => Outcome::accepted("submission_id"),
            Some(true) => Outcome::unknown("success_without_submission_id"),
            None => Outcome::unknown("json_without_success"),
        }
    }

    fn submission_id(&self, _post: &Post<'_>, answer: &Answer<'_>) -> Option<String> {
        json_id(answer.json()?.get("data")?.get("submission_id"))
    }

    fn is_own_field(&self, name: &str) -> bool {
        matches!(name, "form-id" | "srfm-sender-email-field" | "srfm-honeypot-field")
    }
}

fn role(field: &Field) -> Option<Declared> {
    let (kind, label) = typed(&field.name)?;
    let label = label.unwrap_or_default();
    let role = match kind {
        "email" => declare::EM,
        "phone" => declare::PH,
        "input" => return declare::by_label(field, &label, By::Handler),
        "textarea" | "checkbox" | "gdpr" | "url" | "upload" => return Some(Declared::not_contact(&field.name)),
        _ => return None,
    };
    match names::of_label(&label) {
        // Somebody else's.
        Meaning::NotContact => Some(Declared::not_contact(&field.name)),
        _ => Some(declare::is(field, role, By::Handler)),
    }
}

/// `srfm-email-<block>-lbl-RW1haWw-email` → type, label.
fn typed(name: &str) -> Option<(&str, Option<String>)> {
    let (head, tail) = name.strip_prefix("srfm-")?.split_once("-lbl-")?;
    let (kind, _block) = head.split_once('-')?;
    Some((kind, label(tail)))
}

/// The label before its slug. The alphabet of base64url has the `-` that also ends the label, so the end is where what
/// was decoded reads like the slug that follows; where a language's slug does not, the first one that decodes.
fn label(tail: &str) -> Option<String> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&URL_SAFE, config);
    let decoded = |encoded: &str| {
        let text = String::from_utf8(engine.decode(encoded).ok()?).ok()?;
        (!text.is_empty() && !text.contains(char::is_control)).then_some(text)
    };
    let ends = tail.match_indices('-').map(|(at, _)| at).take(MAX_CUTS);
    let mut candidates = ends.filter_map(|at| {
        let (encoded, slug) = tail.split_at_checked(at)?;
        Some((decoded(encoded)?, letters(slug)))
    });
    let first = candidates.next();
    let told = first.iter().cloned().chain(candidates).find(|(text, slug)| letters(text) == *slug);
    told.or(first).map(|(text, _)| text)
}

/// Dashes at which a label may end.
const MAX_CUTS: usize = 30;

fn letters(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::{label, typed};
    use crate::form::testing::{Case, contact};
    use crate::lead::contact::Key;

    const FIELDS: &str = "form-id=33&srfm-honeypot-field=&srfm-sender-email-field=srfm-email-1a2b&\
        srfm-input-0a1b2c3d-lbl-Rmlyc3QgTmFtZQ-first-name=Ana&srfm-input-0a1b2c3e-lbl-TGFzdCBOYW1l-last-name=Ruiz&\
        srfm-email-0a1b2c3f-lbl-RW1haWw-email=ana.ruiz%40example.com&\
        srfm-phone-0a1b2c40-lbl-UGhvbmU-phone=%2B49+171+555+01234&\
        srfm-input-0a1b2c41-lbl-Q29tcGFueSBOYW1l-company-name=Example&\
        srfm-textarea-0a1b2c42-lbl-TWVzc2FnZQ-message=bob%40example.com";
    const DONE: &str = r#"{"success":true,"message":"x","data":{"name":"x","submission_id":512,"after_submit":true}}"#;

    fn case(target: &'static str) -> Case {
        Case::post(target, FIELDS).header("x-wp-submit-token", "0a1b")
    }

    #[test]
    fn an_entry_is_a_success_and_nothing_less() {
        for (status, answer, verdict) in [
            (200, DONE, "lead"),
            (200, r#"{"success":true,"data":{"submission_id":"512"},"redirect_url":"/x"}"#, "lead"),
            (200, r#"{"success":true,"data":{}}"#, "unknown_outcome"),
            (200, r#"{"success":true,"data":{"submission_id":0}}"#, "unknown_outcome"),
            (200, r#"{"success":true,"data":{"submission_id":1,"field_errors":{"a":"x"}}}"#, "validation"),
            (200, r#"{"success":false,"data":{"field_errors":{"a":"x"}}}"#, "validation"),
            (200, r#"{"success":false}"#, "validation"),
            (403, r#"{"code":"srfm_token_invalid","message":"x","data":{"status":403}}"#, "nonce"),
            (403, r#"{"success":false,"data":{"code":"srfm_token_invalid"}}"#, "nonce"),
            (403, r#"{"code":"rest_forbidden"}"#, "upstream_error"),
            (500, DONE, "upstream_error"),
            (200, "x", "unknown_outcome"),
        ] {
            for target in ["/wp-json/sureforms/v1/submit-form", "/?rest_route=/sureforms/v1/submit-form", "/contact/"] {
                assert_eq!(case(target).json(status, answer).verdict(), verdict, "{target} {status} {answer}");
            }
        }
        assert_eq!(case("/contact/").redirect(302, "/thanks").verdict(), "unknown_outcome");
        assert_eq!(case("/wp-json/sureforms/v1/refresh-token").json(200, DONE).verdict(), "not_a_form");
        let trapped = Case::post("/contact/", FIELDS.replace("honeypot-field=", "honeypot-field=x"));
        assert_eq!(trapped.json(200, DONE).verdict(), "honeypot");
    }

    #[test]
    fn names_carry_types_and_labels() {
        let reading = case("/wp-json/sureforms/v1/submit-form").json(200, DONE).read();
        assert_eq!((reading.handler, reading.form.as_str()), ("sureforms", "sureforms:33"));
        assert_eq!(reading.supplied_event_id.as_ref().unwrap().id, "sureforms:shop.example:sureforms:33:512");
        for (key, value) in
            [(Key::Em, "ana.ruiz@example.com"), (Key::Ph, "+49 171 555 01234"), (Key::Fn, "Ana"), (Key::Ln, "Ruiz")]
        {
            assert_eq!(contact(&reading, key), Some(value));
        }
        assert_eq!(reading.roles.sources.len(), 4);
        assert_eq!(reading.canonical_fields.len(), 6);
    }

    #[test]
    fn a_label_ends_where_its_slug_begins() {
        for (tail, expected) in [
            ("RW1haWw-email", Some("Email")),
            ("Rmlyc3QgTmFtZQ-first-name", Some("First Name")),
            ("w5xiZXI-uber", Some("\u{dc}ber")),
            // `Ort?>` has a dash of its own in base64url.
            ("T3J0Pz4-ort", Some("Ort?>")),
            ("YWFhPj4-YWFhPj4-aaaaaa", Some("aaa>>>aaa>>")),
            ("RW1haWw", None),
            ("%%-email", None),
            ("-email", None),
            ("", None),
        ] {
            assert_eq!(label(tail).as_deref(), expected, "{tail}");
        }
        assert_eq!(typed("srfm-email-lbl-RW1haWw-email"), None);
        assert_eq!(typed("srfm-email-0a-lbl-"), Some(("email", None)));
    }
}
