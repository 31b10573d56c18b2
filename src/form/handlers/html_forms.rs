//! HTML Forms. What its answers mean is not known, so only a rule can count them.

use super::{Handler, Outcome, Post, Recognised, form_id};
use crate::form::answer::Answer;

pub(super) struct HtmlForms;

impl Handler for HtmlForms {
    fn name(&self) -> &'static str {
        "html-forms"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        let id = post.fields.get("_hf_form_id")?;
        Some(Recognised::Form(form_id("html-forms", id)))
    }

    fn outcome(&self, _post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        Outcome::before_body(answer).unwrap_or_else(|| Outcome::unknown("handler_not_supported:html-forms"))
    }

    fn is_own_field(&self, name: &str) -> bool {
        name == "_hf_form_id"
    }
}

#[cfg(test)]
mod tests {
    use crate::form::testing::Case;

    #[test]
    fn its_answers_stay_unknown_and_its_form_is_named() {
        let case = |id: &str| Case::post("/contact/", format!("_hf_form_id={id}&EMAIL=ana.ruiz%40example.com"));
        for (case, verdict) in [
            (case("7").json(200, r#"{"success":true}"#), "unknown_outcome"),
            (case("7").redirect(302, "/thanks"), "unknown_outcome"),
            (case("7").html(500, ""), "upstream_error"),
        ] {
            assert_eq!((case.verdict(), case.read().form.as_str()), (verdict, "html-forms:7"));
        }
        assert!(case("ana%40example.com").read().form.starts_with("/contact#"));
    }
}
