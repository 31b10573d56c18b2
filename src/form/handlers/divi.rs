//! Divi's contact form. It posts to its own page, whose answer is the page again: the form is gone and a message stands
//! in its place.

use serde_json::Value;

use super::declare::{self, By};
use super::{Handler, Outcome, Post, Recognised, is_number};
use crate::form::answer::Answer;
use crate::form::body::Field;
use crate::form::html;
use crate::form::names::{self, Meaning};
use crate::form::roles::Declared;
use crate::form::words::Words;
use crate::reason::Reason;

pub(super) struct Divi;

impl Handler for Divi {
    fn name(&self) -> &'static str {
        "divi"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        // The number is the form's place on its page, not its name.
        post.fields.has_prefix(SUBMIT).then_some(Recognised::Form(None))
    }

    fn roles(&self, post: &Post<'_>, _answer: Option<&Answer<'_>>) -> Vec<Declared> {
        let Some(number) = number_of(post) else { return Vec::new() };
        let list = post.fields.get(&format!("{DESCRIPTIONS}{number}"));
        let list: Vec<Value> = list.and_then(|list| serde_json::from_str(list).ok()).unwrap_or_default();
        let described = list.iter().take(MAX_DESCRIBED).map(Described::of).collect::<Vec<_>>();
        let declared = post.fields.list.iter().filter(|field| !self.is_own_field(&field.name)).filter_map(|field| {
            let own = own_id(&field.name, number)?;
            let described = described.iter().find(|one| one.field == field.name || one.id == own);
            role(field, own, described.copied().unwrap_or_default())
        });
        declared.collect()
    }

    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if let Some(outcome) = Outcome::before_body(answer) {
            return outcome;
        }
        let Some((html, number)) = answer.html().zip(number_of(post)) else { return Outcome::unknown("no_form") };
        // The container of the form that was posted, or the only ones there are.
        let own = format!("#et_pb_contact_form_{number}.et_pb_contact_form_container");
        let container = if html::has(html, &own) { own.as_str() } else { ".et_pb_contact_form_container" };
        if html::has(html, &format!("{container} .et_pb_contact_error_text")) {
            return Outcome::refused(Reason::Validation, "et_pb_contact_error_text");
        }
        if html::has(html, &format!("{container} form.et_pb_contact_form")) {
            return Outcome::unknown("form_still_there");
        }
        match html::text(html, &format!("{container} .et-pb-contact-message")) {
            Some(text) if !text.is_empty() => Outcome::accepted("et-pb-contact-message"),
            _ => Outcome::unknown("no_message"),
        }
    }

    fn is_own_field(&self, name: &str) -> bool {
        let numbered = |prefix: &&str| name.strip_prefix(*prefix).is_some_and(is_number);
        OWN_FIELDS.iter().any(numbered)
    }

    fn is_trap(&self, _post: &Post<'_>, name: &str) -> bool {
        ["et_pb_contactform_validate_", "et_pb_contact_et_number_"].iter().any(|trap| name.starts_with(trap))
    }
}

const SUBMIT: &str = "et_pb_contactform_submit_";
/// Which field is what, as JSON.
const DESCRIPTIONS: &str = "et_pb_contact_email_fields_";
const OWN_FIELDS: &[&str] = &[
    SUBMIT,
    DESCRIPTIONS,
    "et_pb_contact_captcha_",
    "et_pb_contactform_validate_",
    "et_pb_contact_et_number_",
    "_wpnonce-et-pb-contact-form-submitted-",
];
/// Descriptions that are looked at.
const MAX_DESCRIBED: usize = 300;

/// The form's place on its page.
fn number_of<'a>(post: &Post<'a>) -> Option<&'a str> {
    let mut numbers = post.fields.list.iter().filter_map(|field| field.name.strip_prefix(SUBMIT));
    numbers.rfind(|number| is_number(number))
}

/// `et_pb_contact_email_0` → `email`.
fn own_id<'a>(name: &'a str, number: &str) -> Option<&'a str> {
    name.strip_prefix("et_pb_contact_")?.strip_suffix(number)?.strip_suffix('_')
}

#[derive(Clone, Copy, Default)]
struct Described<'a> {
    /// The name that it is submitted under.
    field: &'a str,
    /// The id that it was made with.
    id: &'a str,
    kind: &'a str,
    label: &'a str,
}

impl<'a> Described<'a> {
    fn of(item: &'a Value) -> Self {
        let text = |key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default();
        Self { field: text("field_id"), id: text("original_id"), kind: text("field_type"), label: text("field_label") }
    }
}

/// By type, by label, by the id. A value equal to its label is the label, which stands in fields that nobody filled in.
fn role(field: &Field, own: &str, described: Described<'_>) -> Option<Declared> {
    let not_contact = Some(Declared::not_contact(&field.name));
    if !described.label.is_empty() && field.value.trim() == described.label.trim() {
        return not_contact;
    }
    if matches!(described.kind, "text" | "checkbox" | "file") {
        return not_contact;
    }
    let meaning = match names::of_label(described.label) {
        Meaning::Unknown => names::of_name(&Words::of(own)),
        said => said,
    };
    match meaning {
        Meaning::NotContact => not_contact,
        _ if described.kind == "email" => Some(declare::is(field, declare::EM, By::Handler)),
        Meaning::Role(role) => Some(declare::is(field, role, By::Handler)),
        Meaning::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::form::testing::{Case, contact};
    use crate::lead::contact::Key;

    fn body(descriptions: &str, more: &str) -> String {
        let list: String = form_urlencoded::byte_serialize(descriptions.as_bytes()).collect();
        format!(
            "et_pb_contact_name_1=Ana+Ruiz&et_pb_contact_email_1=ana.ruiz%40example.com&\
            et_pb_contact_field_3_1=555+0123&et_pb_contact_firm_1=Example&et_pb_contact_message_1=bob%40example.com&\
            et_pb_contactform_submit_1=et_contact_proccess&et_pb_contact_email_fields_1={list}&\
            et_pb_contact_captcha_1=7&et_pb_contact_et_number_1=&_wpnonce-et-pb-contact-form-submitted-1=0a{more}"
        )
    }

    const DESCRIPTIONS: &str = r#"[
        {"field_id":"et_pb_contact_name_1","original_id":"name","required_mark":"required","field_type":"input",
        "field_label":"Name"},
        {"field_id":"et_pb_contact_email_1","original_id":"email","field_type":"email","field_label":"Mail"},
        {"field_id":"field_3","original_id":"field_3","field_type":"input","field_label":"Telefon"},
        {"field_id":"et_pb_contact_firm_1","original_id":"firm","field_type":"input","field_label":"Firma"},
        {"field_id":"et_pb_contact_message_1","original_id":"message","field_type":"text","field_label":"Text"}
        ]"#;

    fn container(number: u8, inner: &str) -> String {
        format!(
            "<div id='et_pb_contact_form_{number}' class='et_pb_module et_pb_contact_form_container'>\
            <div class='et-pb-contact-message'>{inner}</div></div>"
        )
    }

    fn with_form(number: u8, message: &str) -> String {
        container(number, message).replace("</div></div>", "</div><form class='et_pb_contact_form'></form></div>")
    }

    #[test]
    fn a_message_in_place_of_the_form_is_a_success() {
        for (answer, verdict) in [
            (container(1, "<p>Thanks</p>"), "lead"),
            (with_form(0, "") + &container(1, "Thanks"), "lead"),
            (container(0, "Thanks") + &with_form(1, ""), "unknown_outcome"),
            (container(1, " "), "unknown_outcome"),
            (with_form(1, "Thanks"), "unknown_outcome"),
            (with_form(1, "<p class='et_pb_contact_error_text'>x</p>"), "validation"),
            (container(1, "<p class='et_pb_contact_error_text'>x</p>"), "validation"),
            (container(1, "Thanks").replace(" id=", " data-id="), "lead"),
            ("<div class='et-pb-contact-message'>Thanks</div>".to_owned(), "unknown_outcome"),
            (String::new(), "unknown_outcome"),
        ] {
            let case = Case::post("/contact/", body(DESCRIPTIONS, "")).html(200, &answer);
            assert_eq!(case.verdict(), verdict, "{answer}");
        }
        let case = || Case::post("/contact/", body(DESCRIPTIONS, ""));
        assert_eq!(case().redirect(302, "/thanks").verdict(), "unknown_outcome");
        assert_eq!(case().html(503, &container(1, "x")).verdict(), "upstream_error");
    }

    #[test]
    fn traps_of_both_names_close() {
        for more in ["&et_pb_contact_et_number_1=5", "&et_pb_contactform_validate_1=x"] {
            let case = Case::post("/contact/", body(DESCRIPTIONS, more)).html(200, &container(1, "Thanks"));
            assert_eq!(case.verdict(), "honeypot", "{more}");
        }
    }

    #[test]
    fn the_descriptions_tell_what_the_fields_are() {
        let reading = Case::post("/contact/", body(DESCRIPTIONS, "")).html(200, &container(1, "Thanks")).read();
        assert_eq!(reading.handler, "divi");
        assert!(reading.form.starts_with("/contact#"), "{}", reading.form);
        for (key, value) in
            [(Key::Em, "ana.ruiz@example.com"), (Key::Ph, "555 0123"), (Key::Fn, "Ana"), (Key::Ln, "Ruiz")]
        {
            assert_eq!(contact(&reading, key), Some(value));
        }
        assert_eq!(reading.roles.sources.len(), 3);
        assert_eq!(reading.canonical_fields.len(), 5);
    }

    #[test]
    fn without_descriptions_the_ids_speak() {
        for descriptions in ["", "{", "[1,null,{\"field_id\":3}]"] {
            let reading = Case::post("/contact/", body(descriptions, "")).read();
            assert_eq!(contact(&reading, Key::Em), Some("ana.ruiz@example.com"), "{descriptions}");
            assert_eq!(contact(&reading, Key::Ln), Some("Ruiz"));
            assert_eq!(contact(&reading, Key::Ph), None);
        }
    }

    #[test]
    fn a_label_left_in_its_field_is_no_answer() {
        let descriptions = r#"[{"field_id":"et_pb_contact_name_1","field_type":"input","field_label":"Ana Ruiz"}]"#;
        let reading = Case::post("/contact/", body(descriptions, "")).read();
        assert_eq!(contact(&reading, Key::Fn), None);
    }

    #[test]
    fn a_place_that_is_no_number_goes_into_no_selector() {
        let odd = "et_pb_contactform_submit_1%2C%2A=x&et_pb_contact_email_1=ana.ruiz%40example.com";
        let case = Case::post("/contact/", odd).html(200, &container(1, "Thanks"));
        assert_eq!((case.verdict(), case.read().handler), ("unknown_outcome", "divi"));
    }
}
