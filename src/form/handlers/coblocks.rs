//! CoBlocks' form block. What its answers mean is not known, so only a rule can count them.

use super::{Handler, Outcome, Post, Recognised};
use crate::form::answer::Answer;

pub(super) struct CoBlocks;

impl Handler for CoBlocks {
    fn name(&self) -> &'static str {
        "coblocks"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        post.action().filter(|action| action == "coblocks-form-submit")?;
        Some(Recognised::Form(None))
    }

    fn outcome(&self, _post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        Outcome::before_body(answer).unwrap_or_else(|| Outcome::unknown("handler_not_supported:coblocks"))
    }
}

#[cfg(test)]
mod tests {
    use crate::form::testing::{Case, contact};
    use crate::lead::contact::Key;

    #[test]
    fn its_answers_stay_unknown_and_its_failures_do_not() {
        let case =
            || Case::post("/contact/", "action=coblocks-form-submit&field-email%5Bvalue%5D=ana.ruiz%40example.com");
        for (case, verdict) in [
            (case().html(200, "<p>Thanks</p>"), "unknown_outcome"),
            (case().redirect(302, "/thanks"), "unknown_outcome"),
            (case().json(200, r#"{"success":true}"#), "unknown_outcome"),
            (case().html(500, ""), "upstream_error"),
        ] {
            assert_eq!((case.verdict(), case.read().handler), (verdict, "coblocks"));
            assert_eq!(contact(&case.read(), Key::Em), Some("ana.ruiz@example.com"));
        }
    }
}
