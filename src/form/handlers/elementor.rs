//! Elementor Pro's form widget. It is sent by a script only; `success` decides.

use super::{Handler, Outcome, Post, Recognised, form_id, is_filled, wp_json};
use crate::form::answer::Answer;
use crate::reason::Reason;

pub(super) struct Elementor;

impl Handler for Elementor {
    fn name(&self) -> &'static str {
        "elementor"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        post.action().filter(|action| *action == "elementor_pro_forms_send_form")?;
        Some(Recognised::Form(post.fields.get("form_id").and_then(|id| form_id("elementor", id))))
    }

    fn outcome(&self, _post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if let Some(outcome) = Outcome::before_body(answer) {
            return outcome;
        }
        match wp_json(answer) {
            Some((true, data)) if is_filled(data.get("errors")) => Outcome::refused(Reason::Validation, "errors"),
            Some((true, _)) => Outcome::accepted("success:true"),
            // Its mail failing looks the same.
            Some((false, _)) => Outcome::refused(Reason::Validation, "success:false"),
            None => Outcome::unknown("json_without_success"),
        }
    }

    fn page_url(&self, post: &Post<'_>) -> Option<String> {
        post.fields.get("referrer").map(str::to_owned)
    }

    fn is_own_field(&self, name: &str) -> bool {
        matches!(name, "post_id" | "form_id" | "queried_id" | "referer_title" | "referrer" | "_nonce")
    }
}

#[cfg(test)]
mod tests {
    use crate::form::testing::{Case, contact};
    use crate::lead::contact::Key;

    const FIELDS: &str = "action=elementor_pro_forms_send_form&post_id=12&form_id=1a2b3c4&queried_id=12&\
        referer_title=Contact&referrer=https%3A%2F%2Fshop.example%2Fquote%3Fa%3D1&form_fields%5Bname%5D=Ana+Ruiz&\
        form_fields%5Bemail%5D=ana.ruiz%40example.com&form_fields%5Bfield_1c0ffee%5D=blue&form_fields%5Bmessage%5D=Hi";

    fn case(fields: impl Into<String>) -> Case {
        Case::post("/wp-admin/admin-ajax.php", fields)
    }

    #[test]
    fn the_one_word_decides_and_errors_outweigh_it() {
        for (status, answer, verdict) in [
            (200, r#"{"success":true,"data":{"message":"Thanks","data":[]}}"#, "lead"),
            (200, r#"{"success":true,"data":{"data":{"redirect_url":"https://shop.example/x"}}}"#, "lead"),
            (200, r#"{"success":true,"data":{"errors":{"email":"x"}}}"#, "validation"),
            (200, r#"{"success":false,"data":{"message":"x","errors":{"email":"x"},"data":[]}}"#, "validation"),
            (200, r#"{"success":false}"#, "validation"),
            (200, r#"{"success":"yes"}"#, "unknown_outcome"),
            (200, "0", "unknown_outcome"),
            (400, "0", "upstream_error"),
            (500, r#"{"success":true}"#, "upstream_error"),
        ] {
            assert_eq!(case(FIELDS).json(status, answer).verdict(), verdict, "{status} {answer}");
        }
        assert_eq!(case(FIELDS).redirect(302, "/thanks").verdict(), "unknown_outcome");
    }

    #[test]
    fn the_form_the_page_and_the_contact_are_read() {
        let reading = case(FIELDS).json(200, r#"{"success":true,"data":{}}"#).read();
        assert_eq!((reading.handler, reading.form.as_str()), ("elementor", "elementor:1a2b3c4"));
        assert_eq!(reading.page_url.as_deref(), Some("https://shop.example/quote?a=1"));
        assert_eq!(reading.referrer_url, None, "what it calls referrer is the page itself");
        assert_eq!(contact(&reading, Key::Em), Some("ana.ruiz@example.com"));
        assert_eq!(contact(&reading, Key::Ln), Some("Ruiz"));
        assert!(reading.canonical_fields.iter().all(|(name, _)| name.starts_with("form_fields[")));
        assert_eq!(reading.supplied_event_id, None);
    }

    #[test]
    fn a_page_or_an_id_from_elsewhere_is_not_taken() {
        let foreign = FIELDS.replace("shop.example", "evil.example").replace("1a2b3c4", "ana%40example.com");
        let reading = case(foreign).json(200, r#"{"success":true,"data":{}}"#).read();
        assert_eq!(reading.page_url.as_deref(), Some("https://shop.example/contact"));
        assert!(reading.form.starts_with("/contact#"), "{}", reading.form);
    }
}
