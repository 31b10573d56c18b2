//! CoBlocks' form block (3.1). It posts to its page, which shows what was sent in place of the form.

use super::{Handler, Outcome, Post, Recognised};
use crate::form::answer::Answer;

pub(super) struct CoBlocks;

impl Handler for CoBlocks {
    fn name(&self) -> &'static str {
        "coblocks"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        post.action().filter(|action| *action == "coblocks-form-submit")?;
        Some(Recognised::Form(None))
    }

    fn outcome(&self, _post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if let Some(outcome) = Outcome::before_body(answer) {
            return outcome;
        }
        if answer.has(".coblocks-form__submitted") {
            return Outcome::accepted("coblocks-form__submitted");
        }
        Outcome::unknown("form_not_submitted")
    }

    fn is_own_field(&self, name: &str) -> bool {
        matches!(name, "form-hash" | "form-submit" | "email-field-id" | "name-field-id" | TRAP)
    }

    fn is_trap(&self, _post: &Post<'_>, name: &str) -> bool {
        name == TRAP
    }
}

/// An e-mail field by its looks.
const TRAP: &str = "coblocks-verify-email";

#[cfg(test)]
mod tests {
    use crate::form::testing::{Case, contact};
    use crate::lead::contact::Key;

    const FIELDS: &str = "action=coblocks-form-submit&field-email%5Bvalue%5D=ana.ruiz%40example.com&\
        coblocks-verify-email=";

    #[test]
    fn the_page_shows_what_was_sent_in_place_of_the_form() {
        let case = || Case::post("/contact/", FIELDS);
        for (case, verdict) in [
            (case().html(200, "<div class='coblocks-form__submitted'>Thanks</div>"), "lead"),
            (case().html(200, "<p>Thanks</p>"), "unknown_outcome"),
            (case().redirect(302, "/thanks"), "unknown_outcome"),
            (case().json(200, r#"{"success":true}"#), "unknown_outcome"),
            (case().html(500, ""), "upstream_error"),
        ] {
            assert_eq!((case.verdict(), case.read().handler), (verdict, "coblocks"));
            assert_eq!(contact(&case.read(), Key::Em), Some("ana.ruiz@example.com"));
        }
    }

    #[test]
    fn its_trap_is_no_address() {
        let robot = format!("{FIELDS}bob%40example.com");
        let sent = "<div class='coblocks-form__submitted'>Thanks</div>";
        assert_eq!(Case::post("/contact/", robot).html(200, sent).verdict(), "honeypot");
    }
}
