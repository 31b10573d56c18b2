//! TYPO3's powermail. The page prints the thanks, in an element of its own, or redirects; what is refused comes back as
//! the form. Where the site asks "are these values right?", that is a step before.

use super::{Handler, Outcome, Post, Recognised, form_id, redirect};
use crate::form::answer::Answer;
use crate::reason::Reason;

pub(super) struct Powermail;

const PREFIX: &str = "tx_powermail_pi1[";
const FIELD: &str = "tx_powermail_pi1[field][";
const FORM: &str = "tx_powermail_pi1[mail][form]";

impl Handler for Powermail {
    fn name(&self) -> &'static str {
        "powermail"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        if !post.fields.has_prefix(FIELD) {
            return None;
        }
        let id = post.fields.get(FORM).and_then(|id| form_id("powermail", id));
        let action = post.query("tx_powermail_pi1[action]");
        let action = action.as_deref().or_else(|| post.fields.get("tx_powermail_pi1[action]"));
        Some(match action {
            // `form` is the way back from there; `validateAjax` asks about one field.
            Some("confirmation" | "checkConfirmation" | "form" | "validateAjax") => Recognised::Never(Reason::Step),
            _ => Recognised::Form(id),
        })
    }

    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if let Some(said) = redirect::before_page(post, answer) {
            return said;
        }
        let is_done = answer.has(".powermail_create") || is_done_under_another_class(answer);
        if answer.has(".powermail_message_error") {
            // Beside the thanks it is about the mail: the submission itself was taken.
            let reason = if is_done { Reason::MailFailed } else { Reason::Validation };
            return Outcome::refused(reason, "powermail_message_error");
        }
        if answer.has(".powermail_field_error") {
            return Outcome::refused(Reason::Validation, "powermail_field_error");
        }
        if answer.has(".powermail_confirmation") {
            return Outcome::refused(Reason::Step, "powermail_confirmation");
        }
        if is_done { Outcome::accepted("powermail_create") } else { Outcome::unknown("no_powermail_create") }
    }

    fn is_own_field(&self, name: &str) -> bool {
        name.starts_with(PREFIX) && !name.starts_with(FIELD)
    }

    fn is_trap(&self, _post: &Post<'_>, name: &str) -> bool {
        name.strip_prefix(FIELD).is_some_and(|field| field == "__hp]")
    }
}

/// The class of the thanks can be configured, its attribute cannot: it names the form, and is no form.
fn is_done_under_another_class(answer: &Answer<'_>) -> bool {
    let found = answer.select("[data-powermail-form]", |element| Some(element.tag_name()));
    found.is_some_and(|tag| tag != "form") && !answer.has("form.powermail_form")
}

#[cfg(test)]
mod tests {
    use crate::form::testing::{Case, contact};
    use crate::lead::contact::Key;

    const BODY: &str = "tx_powermail_pi1%5Bfield%5D%5Bvorname%5D=Ana&tx_powermail_pi1%5Bfield%5D%5Bnachname%5D=Ruiz&\
        tx_powermail_pi1%5Bfield%5D%5Be_mail%5D=ana.ruiz%40example.com&tx_powermail_pi1%5Bfield%5D%5B__hp%5D=&\
        tx_powermail_pi1%5Bmail%5D%5Bform%5D=7&tx_powermail_pi1%5B__referrer%5D%5B%40action%5D=form&\
        tx_powermail_pi1%5B__trustedProperties%5D=x";

    fn create() -> Case {
        Case::post("/kontakt?tx_powermail_pi1%5Baction%5D=create&tx_powermail_pi1%5Bcontroller%5D=Form", BODY)
            .header("referer", "https://shop.example/kontakt")
    }

    const DONE: &str = "<div class='powermail_create' data-powermail-form='7'>x</div>";
    const AGAIN: &str = "<form class='powermail_form powermail_form_7' data-powermail-form='7'></form>";

    #[test]
    fn the_elements_of_the_answer_decide() {
        let error = "<nav class='powermail_message powermail_message_error'>x</nav>";
        for (html, verdict) in [
            (DONE.to_owned(), "lead"),
            ("<div class='thanks' data-powermail-form='7'>x</div>".to_owned(), "lead"),
            (format!("{AGAIN}{error}"), "validation"),
            (format!("{error}{DONE}"), "mail_failed"),
            (AGAIN.to_owned(), "unknown_outcome"),
            (format!("<div class='powermail_confirmation' data-powermail-form='7'>{AGAIN}</div>"), "step"),
            ("<p>x</p>".to_owned(), "unknown_outcome"),
            (String::new(), "unknown_outcome"),
        ] {
            assert_eq!(create().html(200, &html).verdict(), verdict, "{html}");
        }
        assert_eq!(create().redirect(303, "/danke").verdict(), "lead");
        assert_eq!(create().redirect(303, "/kontakt").verdict(), "lead");
        assert_eq!(create().html(503, DONE).verdict(), "upstream_error");
    }

    #[test]
    fn the_question_whether_all_is_right_is_a_step() {
        for action in ["confirmation", "checkConfirmation", "form", "validateAjax"] {
            let mut case = create().html(200, DONE);
            case.target = match action {
                "confirmation" => "/kontakt?tx_powermail_pi1%5Baction%5D=confirmation",
                "checkConfirmation" => "/kontakt?tx_powermail_pi1%5Baction%5D=checkConfirmation",
                "form" => "/kontakt?tx_powermail_pi1%5Baction%5D=form",
                _ => "/kontakt?tx_powermail_pi1%5Baction%5D=validateAjax",
            };
            assert_eq!(case.verdict(), "step", "{action}");
        }
    }

    #[test]
    fn a_form_is_named_and_its_fields_are_read() {
        let reading = create().html(200, DONE).read();
        assert_eq!((reading.handler, reading.form.as_str()), ("powermail", "powermail:7"));
        assert_eq!(contact(&reading, Key::Em), Some("ana.ruiz@example.com"));
        assert_eq!(contact(&reading, Key::Fn), Some("Ana"));
        assert!(reading.canonical_fields.iter().all(|(name, _)| name.contains("[field]")));
        let mut trapped = create().html(200, DONE);
        trapped.body = BODY.replace("__hp%5D=", "__hp%5D=x");
        assert_eq!(trapped.verdict(), "honeypot");
    }
}
