//! MetForm (observed: 3.3.3). A REST call by a script; `status` is 1 or 0.

use serde_json::Value;

use super::{Handler, Outcome, Post, Recognised, declare, form_id, json_id};
use crate::form::answer::Answer;
use crate::form::roles::{Declared, Role};
use crate::reason::Reason;

const NAMESPACE: &str = "/metform/v1/";

pub(super) struct MetForm;

impl Handler for MetForm {
    fn name(&self) -> &'static str {
        "metform"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        let route = post.rest_route(NAMESPACE)?;
        let id = route.strip_prefix(NAMESPACE).and_then(|rest| rest.strip_prefix("entries/insert/"));
        let Some(id) = id else {
            let reason = if route.contains("step") { Reason::Step } else { Reason::NotAForm };
            return Some(Recognised::Never(reason));
        };
        Some(Recognised::Form(form_id("metform", id)))
    }

    fn roles(&self, post: &Post<'_>, _answer: Option<&Answer<'_>>) -> Vec<Declared> {
        declare::by_names(&post.fields.list, NAMES)
    }

    fn outcome(&self, _post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if let Some(outcome) = Outcome::before_body(answer) {
            return outcome;
        }
        let Some(json) = answer.json() else { return Outcome::unknown("no_json") };
        // `error` says nothing: the answer is made with a first one in it, which stays there when all goes well.
        match json.get("status").map(Status::of) {
            Some(Status::Done) => Outcome::accepted("status:1"),
            Some(Status::Refused) => Outcome::refused(Reason::Validation, "status:0"),
            Some(Status::Other) | None => Outcome::unknown("json_without_status"),
        }
    }

    fn submission_id(&self, _post: &Post<'_>, answer: &Answer<'_>) -> Option<String> {
        json_id(answer.json()?.get("data")?.get("entry_id"))
    }

    fn is_own_field(&self, name: &str) -> bool {
        matches!(name, "form_nonce" | "hidden-fields" | "action" | "id")
    }
}

/// The names that its fields begin with. Whoever makes a form may change them.
const NAMES: &[(&str, Option<Role>)] = &[
    ("mf-email", Some(declare::EM)),
    ("mf-telephone", Some(declare::PH)),
    ("mf-first-name", Some(declare::FN)),
    ("mf-last-name", Some(declare::LN)),
];

enum Status {
    Done,
    Refused,
    Other,
}

impl Status {
    fn of(value: &Value) -> Self {
        match (value.as_u64(), value.as_str()) {
            (Some(1), _) | (_, Some("1")) => Self::Done,
            (Some(0), _) | (_, Some("0")) => Self::Refused,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::form::testing::{Case, contact};
    use crate::lead::contact::Key;

    const FIELDS: &str = "form_nonce=0a1b&hidden-fields=%5B%5D&mf-first-name=Ana&mf-last-name=Ruiz&\
        mf-email=ana.ruiz%40example.com&mf-telephone=0171+555+01234&mf-text=blue&mf-comment=Hi";
    const DONE: &str = r#"{"status":1,"error":[],"data":{"message":"x","entry_id":88,"form_data":{"mf-text":"blue"}}}"#;
    const INSERT: &str = "/wp-json/metform/v1/entries/insert/41";

    #[test]
    fn the_status_decides_and_not_the_errors_beside_it() {
        for (status, answer, verdict) in [
            (200, DONE, "lead"),
            (200, r#"{"status":"1"}"#, "lead"),
            (200, r#"{"status":1,"error":["x"],"data":{"entry_id":88}}"#, "lead"),
            (200, r#"{"status":0,"error":["x"]}"#, "validation"),
            (200, r#"{"status":0,"error":[]}"#, "validation"),
            (200, r#"{"status":2}"#, "unknown_outcome"),
            (200, r#"{"success":true}"#, "unknown_outcome"),
            (200, "", "unknown_outcome"),
            (403, DONE, "upstream_error"),
        ] {
            for target in [INSERT, "/?rest_route=/metform/v1/entries/insert/41"] {
                assert_eq!(Case::post(target, FIELDS).json(status, answer).verdict(), verdict, "{status} {answer}");
            }
        }
        assert_eq!(Case::post(INSERT, FIELDS).redirect(302, "/thanks").verdict(), "unknown_outcome");
    }

    #[test]
    fn only_an_insertion_is_a_submission() {
        for (target, reason) in [
            ("/wp-json/metform/v1/entries/views/41", "not_a_form"),
            ("/wp-json/metform/v1/forms/store/41", "not_a_form"),
            ("/wp-json/metform/v1/entries/step/41", "step"),
        ] {
            assert_eq!(Case::post(target, FIELDS).json(200, DONE).verdict(), reason, "{target}");
        }
    }

    #[test]
    fn the_entry_the_form_and_the_contact_are_read() {
        let reading = Case::post(INSERT, FIELDS).json(200, DONE).read();
        assert_eq!((reading.handler, reading.form.as_str()), ("metform", "metform:41"));
        assert_eq!(reading.supplied_event_id.as_ref().unwrap().id, "metform:shop.example:metform:41:88");
        for (key, value) in
            [(Key::Em, "ana.ruiz@example.com"), (Key::Ph, "0171 555 01234"), (Key::Fn, "Ana"), (Key::Ln, "Ruiz")]
        {
            assert_eq!(contact(&reading, key), Some(value));
        }
        let hostile = Case::post("/wp-json/metform/v1/entries/insert/ana%40example.com", FIELDS).json(200, DONE).read();
        assert!(hostile.form.starts_with("/contact#"), "{}", hostile.form);
    }
}
