//! Fluent Forms (observed: 6.2.2). The fields travel urlencoded inside a urlencoded field; refusals have statuses of their
//! own.

use serde_json::Value;

use super::{Handler, Outcome, Post, Recognised, form_id, is_filled, wp_json};
use crate::form::answer::Answer;
use crate::form::body::Fields;
use crate::form::roles::{Declared, Role};
use crate::lead::contact::Key;
use crate::reason::Reason;

pub(super) struct FluentForms;

/// The ends of its default names.
const NAMES: &[(&str, Option<Role>)] = &[
    ("[first_name]", Some(Role::Match(Key::Fn))),
    ("[middle_name]", None),
    ("[last_name]", Some(Role::Match(Key::Ln))),
    ("[address_line_1]", None),
    ("[address_line_2]", None),
    ("[city]", Some(Role::Match(Key::Ct))),
    ("[state]", Some(Role::Match(Key::St))),
    ("[zip]", Some(Role::Match(Key::Zp))),
    ("[country]", Some(Role::Match(Key::Country))),
];

impl Handler for FluentForms {
    fn name(&self) -> &'static str {
        "fluent"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        if post.is_ajax("fluentform_submit") {
            let id = post.fields.get("form_id");
            return Some(Recognised::Form(id.and_then(|id| form_id("fluent", id))));
        }
        // Steps that are saved on the way, file uploads, previews.
        let own = post.action().is_some_and(|action| action.starts_with("fluentform"));
        (own && post.path_ends("/wp-admin/admin-ajax.php")).then_some(Recognised::Never(Reason::Step))
    }

    fn fields(&self, post: &Post<'_>) -> Option<Fields> {
        let mut fields = Fields::default();
        for (name, value) in form_urlencoded::parse(post.fields.get("data")?.as_bytes()) {
            if !fields.push(name.into_owned(), value.into_owned()) {
                break;
            }
        }
        Some(fields)
    }

    fn roles(&self, post: &Post<'_>, _answer: Option<&Answer<'_>>) -> Vec<Declared> {
        let fields = self.fields(post).unwrap_or_default();
        let declare = |name: &str| NAMES.iter().find(|(end, _)| name.ends_with(end)).map(|(_, role)| *role);
        let declared = fields.list.iter().filter_map(|field| {
            Some(Declared { field: field.name.clone(), role: declare(&field.name)?, source: "handler" })
        });
        declared.collect()
    }

    fn outcome(&self, _post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        match answer.status().as_u16() {
            423 => return Outcome::refused(Reason::Validation, "status:423"),
            // An unknown form, a honeypot, spam: it does not say which.
            422 => return Outcome::refused(Reason::Spam, "status:422"),
            _ => {}
        }
        if let Some(failure) = Outcome::of_status(answer) {
            return failure;
        }
        if let Err(why) = answer.body() {
            return Outcome::without_body(why);
        }
        let Some((success, data)) = wp_json(answer) else {
            return match answer.json() {
                Some(json) if is_filled(json.get("errors")) => Outcome::refused(Reason::Validation, "errors"),
                _ => Outcome::unknown("no_json"),
            };
        };
        if !success || is_filled(data.get("errors")) {
            return Outcome::refused(Reason::Validation, "success:false");
        }
        match data.get("result") {
            Some(Value::Object(_)) if data.get("insert_id").is_some() => Outcome::accepted("insert_id"),
            Some(Value::Object(_)) => Outcome::accepted("result"),
            _ => Outcome::unknown("no_result"),
        }
    }

    fn submission_id(&self, _post: &Post<'_>, answer: &Answer<'_>) -> Option<String> {
        let id = answer.json()?.pointer("/data/insert_id")?;
        id.as_u64().map(|id| id.to_string()).or_else(|| id.as_str().map(str::to_owned)).filter(|id| id != "0")
    }

    fn is_own_field(&self, name: &str) -> bool {
        name.starts_with("__fluent_form")
            || name.ends_with("__fluent_sf")
            || name.starts_with("_fluentform_")
            || name.starts_with("__ff_")
            || name == "ct_bot_detector_event_token"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::testing::{Case, contact};

    const AJAX: &str = "/wp-admin/admin-ajax.php?t=1795608000000";

    fn post(data: &str) -> Case {
        let data: String = form_urlencoded::byte_serialize(data.as_bytes()).collect();
        Case::post(AJAX, format!("data={data}&action=fluentform_submit&form_id=3"))
    }

    const DATA: &str = "__fluent_form_embded_post_id=16&_fluentform_3_fluentformnonce=abc&item_3__fluent_sf=&\
        names%5Bfirst_name%5D=Ana&names%5Blast_name%5D=Ru%C3%ADz&email=ana.ruiz%40example.com&phone=0171%20555%2001234&\
        address_1%5Bcity%5D=Bonn&address_1%5Bzip%5D=53111&subject=Hi&message=Hello";
    const ACCEPTED: &str =
        r#"{"success":true,"data":{"insert_id":7,"result":{"message":"Danke","action":"hide_form"}}}"#;

    #[test]
    fn success_has_a_result_and_refusals_have_statuses() {
        for (status, answer, verdict) in [
            (200, ACCEPTED, "lead"),
            (
                200,
                r#"{"success":true,"data":{"insert_id":7,"result":{"redirectUrl":"https:\/\/shop.example\/ok"}}}"#,
                "lead",
            ),
            (423, r#"{"errors":{"email":{"required":"x"}}}"#, "validation"),
            (422, r#"{"errors":"x"}"#, "spam"),
            (200, r#"{"errors":{"email":{"required":"x"}}}"#, "validation"),
            (200, r#"{"success":false,"data":{}}"#, "validation"),
            (200, r#"{"success":true,"data":{}}"#, "unknown_outcome"),
            (500, "oops", "upstream_error"),
        ] {
            assert_eq!(post(DATA).json(status, answer).verdict(), verdict, "{status} {answer}");
        }
    }

    #[test]
    fn fields_are_unpacked_from_the_field_they_travel_in() {
        let reading = post(DATA).json(200, ACCEPTED).read();
        for (key, value) in [
            (Key::Em, "ana.ruiz@example.com"),
            (Key::Ph, "0171 555 01234"),
            (Key::Fn, "Ana"),
            (Key::Ln, "Ru\u{ed}z"),
            (Key::Ct, "Bonn"),
            (Key::Zp, "53111"),
        ] {
            assert_eq!(contact(&reading, key), Some(value));
        }
        assert_eq!(reading.form, "fluent:3");
        assert_eq!(reading.supplied_event_id.unwrap().id, "fluent:shop.example:fluent:3:7");
        assert!(!reading.canonical_fields.iter().any(|(name, _)| name.contains("fluent")));
    }

    #[test]
    fn a_filled_trap_is_spam_whatever_the_answer() {
        let data = DATA.replace("__fluent_sf=", "__fluent_sf=x");
        assert_eq!(post(&data).json(200, ACCEPTED).verdict(), "honeypot");
    }

    #[test]
    fn saved_steps_are_no_submissions() {
        let step = Case::post(AJAX, "action=fluentform_step_form_save_data&email=ana%40example.com");
        assert_eq!(step.json(200, ACCEPTED).verdict(), "step");
    }
}
