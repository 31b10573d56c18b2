//! TYPO3's own form framework (EXT:form). A form comes back, with its state, until its last page was accepted; then it
//! redirects or prints a text without any sign of its own.

use super::{Handler, Outcome, Post, Recognised, form_id, redirect};
use crate::form::answer::Answer;
use crate::form::html::attribute;
use crate::reason::Reason;

pub(super) struct FormFramework;

const PREFIX: &str = "tx_form_formframework[";
const STATE: &str = "[__state]";

impl Handler for FormFramework {
    fn name(&self) -> &'static str {
        "typo3-form"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        let id = identifier(state(post)?)?;
        Some(Recognised::Form(form_id("typo3-form", id)))
    }

    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if let Some(failure) = Outcome::of_status(answer) {
            return failure;
        }
        if let Some(location) = answer.header("location").filter(|_| answer.is_redirect()) {
            return redirect::target(post, location).outcome_where_only_success_redirects();
        }
        let body = match answer.body() {
            Ok(body) => body,
            Err(why) => return Outcome::without_body(why),
        };
        let Some(page) = answer.page().filter(|_| !body.trim_ascii().is_empty()) else {
            return Outcome::unknown("answer_not_telling");
        };
        let is_marked = page.invalid_marks > post.before.invalid_marks;
        let is_state = |name: &String| state(post).is_some_and(|state| state == name);
        let again = answer.select("input[name]", |input| attribute(input, "name").filter(is_state)).is_some();
        if again {
            // Which of its pages a form is at only its state says, and that is sealed.
            let reason = if is_marked { Reason::Validation } else { Reason::Step };
            return Outcome::refused(reason, "form_again");
        }
        if is_marked {
            return Outcome::refused(Reason::Validation, "marked_invalid");
        }
        // What TYPO3 prints, under status 200, in the place of an element that failed.
        if memchr::memmem::find(body, b"Oops, an error occurred!").is_some() {
            return Outcome::refused(Reason::UpstreamError, "element_failed");
        }
        // Only the page that had the form can have lost it.
        if post.form.is_some() { Outcome::accepted("form_gone") } else { Outcome::unknown("page_not_learned") }
    }

    fn is_own_field(&self, name: &str) -> bool {
        name.starts_with(PREFIX) && name.contains("[__")
    }
}

/// The name of the field that holds where the visitor is in the form.
fn state<'a>(post: &Post<'a>) -> Option<&'a str> {
    let names = post.fields.list.iter().map(|field| field.name.as_str());
    names.into_iter().find(|name| name.starts_with(PREFIX) && name.ends_with(STATE))
}

/// `tx_form_formframework[contact-12][__state]` → `contact-12`.
fn identifier(state: &str) -> Option<&str> {
    state.strip_prefix(PREFIX)?.strip_suffix(STATE)?.strip_suffix(']')
}

#[cfg(test)]
mod tests {
    use crate::form::testing::{Case, contact};
    use crate::lead::contact::Key;

    const BODY: &str = "tx_form_formframework%5Bcontact-12%5D%5B__state%5D=x&\
        tx_form_formframework%5Bcontact-12%5D%5B__session%5D=y&tx_form_formframework%5B__trustedProperties%5D=z&\
        tx_form_formframework%5Bcontact-12%5D%5Bname%5D=Ana+Ruiz&\
        tx_form_formframework%5Bcontact-12%5D%5Bemail-1%5D=ana.ruiz%40example.com&\
        tx_form_formframework%5Bcontact-12%5D%5BqXw7%5D=&tx_form_formframework%5Bcontact-12%5D%5B__currentPage%5D=1";
    const PAGE: &str = r#"<form id="contact-12"><input type="hidden" name="tx_form_formframework[contact-12][__state]">
        <input name="tx_form_formframework[contact-12][name]"><input name="tx_form_formframework[contact-12][email-1]">
        </form>"#;

    fn post() -> Case {
        Case::post("/kontakt", BODY).header("referer", "https://shop.example/kontakt").page(PAGE)
    }

    #[test]
    fn a_form_is_done_when_it_does_not_come_back() {
        for (html, verdict) in [
            ("<p>Danke!</p>".to_owned(), "lead"),
            (PAGE.to_owned(), "step"),
            (format!("{PAGE}<div class='form-group has-error'></div>"), "validation"),
            ("<div class='error form-text'>x</div>".to_owned(), "validation"),
            (PAGE.replace("contact-12][name", "contact-12][phone").replace("email-1", "text-1"), "step"),
            ("Oops, an error occurred! Code: 20260101".to_owned(), "upstream_error"),
            (String::new(), "unknown_outcome"),
        ] {
            assert_eq!(post().html(200, &html).verdict(), verdict, "{html}");
        }
        assert_eq!(post().redirect(303, "/danke").verdict(), "lead");
        assert_eq!(post().redirect(303, "/kontakt").verdict(), "lead");
        assert_eq!(post().json(200, "{}").verdict(), "unknown_outcome");
        let mut unlearned = post().html(200, "<p>Danke!</p>");
        unlearned.page = None;
        assert_eq!(unlearned.verdict(), "unknown_outcome");
    }

    #[test]
    fn a_form_is_named_and_its_fields_are_read() {
        let reading = post().redirect(303, "/danke").read();
        assert_eq!((reading.handler, reading.form.as_str()), ("typo3-form", "typo3-form:contact-12"));
        assert_eq!(contact(&reading, Key::Em), Some("ana.ruiz@example.com"));
        assert_eq!(contact(&reading, Key::Ln), Some("Ruiz"));
        assert!(reading.canonical_fields.iter().all(|(name, _)| !name.contains("__")));
    }
}
