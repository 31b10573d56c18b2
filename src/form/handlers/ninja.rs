//! Ninja Forms (observed: 3.14.3). The fields are ids in a JSON text; the answer to a success names them.

use serde_json::Value;

use super::{Handler, Outcome, Post, Recognised, form_id, is_filled};
use crate::form::answer::Answer;
use crate::form::body::Fields;
use crate::form::names::{Meaning, is_somebody_elses, of_label};
use crate::form::roles::{Declared, Role};
use crate::lead::contact::Key;
use crate::reason::Reason;

pub(super) struct NinjaForms;

/// The field types of the plugin that are contact data.
const TYPES: &[(&str, Role)] = &[
    ("email", Role::Match(Key::Em)),
    ("phone", Role::Match(Key::Ph)),
    ("firstname", Role::Match(Key::Fn)),
    ("lastname", Role::Match(Key::Ln)),
    ("city", Role::Match(Key::Ct)),
    ("liststate", Role::Match(Key::St)),
    ("zip", Role::Match(Key::Zp)),
    ("listcountry", Role::Match(Key::Country)),
];
/// Types whose meaning is in their label.
const LABELLED: &[&str] = &["textbox", "number", "date", "listselect", "listradio"];

impl Handler for NinjaForms {
    fn name(&self) -> &'static str {
        "ninja"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        if post.is_ajax("nf_ajax_submit") {
            let form = form_data(post).and_then(|data| id_of(&data));
            return Some(Recognised::Form(form.and_then(|id| form_id("ninja", &id))));
        }
        // Back from a payment, saved drafts, its own upkeep.
        let own = post.action().is_some_and(|action| action.starts_with("nf_"));
        (own && post.path_ends("/wp-admin/admin-ajax.php")).then_some(Recognised::Never(Reason::Step))
    }

    fn fields(&self, post: &Post<'_>) -> Option<Fields> {
        let mut fields = Fields::default();
        for (id, field) in form_data(post)?.get("fields")?.as_object()? {
            let value = match field.get("value").unwrap_or(field) {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
                _ => continue,
            };
            if !fields.push(id.clone(), value) {
                break;
            }
        }
        Some(fields)
    }

    fn roles(&self, _post: &Post<'_>, answer: Option<&Answer<'_>>) -> Vec<Declared> {
        let echoed = answer.and_then(|answer| answer.json()?.pointer("/data/fields")?.as_object());
        let text = |field: &Value, key: &str| field.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let declare = |(id, field): (&String, &Value)| {
            let kind = text(field, "type");
            let known = TYPES.iter().find(|(own, _)| *own == kind).map(|(_, role)| *role);
            let role = match known {
                Some(_) if is_somebody_elses(&text(field, "label")) => None,
                Some(role) => Some(role),
                None if LABELLED.contains(&kind.as_str()) => match of_label(&text(field, "label")) {
                    Meaning::Role(role) => Some(role),
                    Meaning::NotContact => None,
                    Meaning::Unknown => return None,
                },
                None => None,
            };
            Some(Declared { field: id.clone(), role, source: "answer" })
        };
        echoed.into_iter().flatten().filter_map(declare).collect()
    }

    fn outcome(&self, _post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if let Some(failure) = Outcome::of_status(answer) {
            return failure;
        }
        if let Err(why) = answer.body() {
            return Outcome::without_body(why);
        }
        let Some(json) = answer.json() else { return Outcome::unknown("no_json") };
        if let Some(errors) = json.get("errors").filter(|errors| is_filled(Some(errors))) {
            // A stale nonce: the script takes the new one and posts again.
            return if is_filled(errors.get("nonce")) {
                Outcome::refused(Reason::Nonce, "errors.nonce")
            } else if is_filled(errors.pointer("/form/spam")) {
                Outcome::refused(Reason::Spam, "errors.form.spam")
            } else {
                Outcome::refused(Reason::Validation, "errors")
            };
        }
        let data = json.get("data").unwrap_or(&Value::Null);
        if is_filled(data.get("new_nonce")) {
            return Outcome::refused(Reason::Nonce, "new_nonce");
        }
        if is_filled(data.get("halt")) {
            return Outcome::refused(Reason::Step, "halt");
        }
        match data.get("actions") {
            Some(actions) if !actions.is_null() => Outcome::accepted("actions"),
            _ => Outcome::unknown("no_actions"),
        }
    }

    fn submission_id(&self, _post: &Post<'_>, answer: &Answer<'_>) -> Option<String> {
        let id = answer.json()?.pointer("/data/actions/save/sub_id")?;
        id.as_u64().map(|id| id.to_string()).or_else(|| id.as_str().map(str::to_owned))
    }
}

fn form_data(post: &Post<'_>) -> Option<Value> {
    serde_json::from_str(post.fields.get("formData")?).ok()
}

/// A form that is on the page more than once has ids like `1_2`.
fn id_of(data: &Value) -> Option<String> {
    let id = data.get("id")?;
    let id = id.as_u64().map(|id| id.to_string()).or_else(|| id.as_str().map(str::to_owned))?;
    id.split('_').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::testing::{Case, contact};

    const AJAX: &str = "/wp-admin/admin-ajax.php";
    const ECHO: &str = r#"{"data":{"form_id":"1","fields":{
        "1":{"id":1,"key":"name","type":"textbox","label":"Ihr Name","value":"Ana Ruiz"},
        "2":{"id":2,"key":"email","type":"email","label":"E-Mail","value":"ana.ruiz@example.com"},
        "3":{"id":3,"key":"message","type":"textarea","label":"Message","value":"Hi"},
        "4":{"id":4,"key":"spam","type":"spam","label":"Phone","value":"4"}},
        "actions":{"save":{"sub_id":17},"success_message":"<p>Thanks"}},"errors":[],"debug":[]}"#;

    fn post() -> Case {
        let data = r#"{"id":"1_2","fields":{"1":{"value":"Ana Ruiz","id":1},"2":{"value":"ana.ruiz@example.com","id":2},
            "3":{"value":"Hi","id":3},"4":{"value":"0171 555 01234","id":4}},"settings":{"title":"x"},"extra":{}}"#;
        let data: String = form_urlencoded::byte_serialize(data.as_bytes()).collect();
        Case::post(AJAX, format!("action=nf_ajax_submit&security=abc&nonce_ts=1&formData={data}"))
    }

    #[test]
    fn errors_are_empty_and_actions_were_run_or_it_is_no_lead() {
        for (answer, verdict) in [
            (ECHO, "lead"),
            (r#"{"data":{"actions":{"success_message":""}},"errors":{}}"#, "lead"),
            (r#"{"data":[],"errors":{"nonce":"x","new_nonce":"abc"}}"#, "nonce"),
            (r#"{"data":{"actions":{}},"errors":{"fields":{"2":"x"}}}"#, "validation"),
            (r#"{"errors":{"form":{"spam":"x"}}}"#, "spam"),
            (r#"{"data":{"halt":true,"actions":{}},"errors":[]}"#, "step"),
            (r#"{"data":{},"errors":[]}"#, "unknown_outcome"),
            ("0", "unknown_outcome"),
        ] {
            assert_eq!(post().json(200, answer).verdict(), verdict, "{answer}");
        }
    }

    #[test]
    fn the_answer_tells_what_the_ids_are() {
        let reading = post().json(200, ECHO).read();
        assert_eq!(contact(&reading, Key::Em), Some("ana.ruiz@example.com"));
        assert_eq!((contact(&reading, Key::Fn), contact(&reading, Key::Ln)), (Some("Ana"), Some("Ruiz")));
        assert_eq!(contact(&reading, Key::Ph), None, "the answer to a puzzle");
        assert_eq!(reading.form, "ninja:1");
        assert_eq!(reading.supplied_event_id.unwrap().id, "ninja:shop.example:ninja:1:17");
    }

    #[test]
    fn other_actions_of_the_plugin_are_no_submissions() {
        for action in ["nf_ajax_resume", "nf_resume", "nf_save"] {
            assert_eq!(
                Case::post(AJAX, format!("action={action}&email=ana%40example.com")).verdict(),
                "step",
                "{action}"
            );
        }
        let broken = Case::post(AJAX, "action=nf_ajax_submit&formData={\"fields\":{\"1\":{\"value\":[1,{}]}}");
        assert_eq!(broken.json(200, "{}").verdict(), "unknown_outcome");
    }
}
