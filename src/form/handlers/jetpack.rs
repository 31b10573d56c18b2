//! Jetpack's form block (observed: 16.0.1). With scripts the answer is JSON that lists every field with its label and
//! type; without, a redirect that carries the entry's id.

use serde_json::Value;

use super::declare::{self, By};
use super::{Handler, Outcome, Post, Recognised, form_id};
use crate::form::answer::Answer;
use crate::form::body::Field;
use crate::form::names::{self, Meaning};
use crate::form::roles::{Declared, Role};
use crate::form::url::{self, Url};
use crate::reason::Reason;

pub(super) struct Jetpack;

impl Handler for Jetpack {
    fn name(&self) -> &'static str {
        "jetpack"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        let is_action = post.action().is_some_and(|action| action == "grunion-contact-form");
        if !is_action && post.fields.get("contact-form-hash").is_none() {
            return None;
        }
        Some(Recognised::Form(post.fields.get("contact-form-id").and_then(|id| form_id("jetpack", id))))
    }

    fn roles(&self, post: &Post<'_>, answer: Option<&Answer<'_>>) -> Vec<Declared> {
        let list = answer.and_then(Answer::json).and_then(|json| json.get("data")?.as_array());
        let items = list.into_iter().flatten().take(MAX_ITEMS);
        items.filter_map(|item| role(field_of(post, item)?, item)).collect()
    }

    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if sent_id(post, answer).is_some() {
            return Outcome::accepted("contact-form-sent");
        }
        let success = answer.json().and_then(|json| json.get("success")?.as_bool());
        // Invalid fields are a 400 here.
        if success == Some(false) && !answer.status().is_server_error() {
            return Outcome::refused(Reason::Validation, "success:false");
        }
        if let Some(outcome) = Outcome::before_body(answer) {
            return outcome;
        }
        if success == Some(true) {
            return Outcome::accepted("success:true");
        }
        if answer.has(".form-error") {
            return Outcome::refused(Reason::Validation, "form-error");
        }
        Outcome::unknown("no_contact-form-sent")
    }

    fn submission_id(&self, post: &Post<'_>, answer: &Answer<'_>) -> Option<String> {
        sent_id(post, answer)
    }

    fn is_own_field(&self, name: &str) -> bool {
        name.starts_with("contact-form-") || name == "jetpack_contact_form_jwt"
    }
}

/// Fields of an answer that are looked at.
const MAX_ITEMS: usize = 300;

/// `contact-form-sent=<id>` of the redirect.
fn sent_id(post: &Post<'_>, answer: &Answer<'_>) -> Option<String> {
    let location = answer.header("location").filter(|_| answer.is_redirect())?;
    let own = url::own(post.request);
    let to = Url::resolve(location, &Url::absolute(&own)?)?;
    let mut pairs = form_urlencoded::parse(to.query.as_bytes());
    let (_, id) = pairs.find(|(key, _)| key == "contact-form-sent")?;
    (!id.is_empty() && id != "0").then(|| id.into_owned())
}

/// The submitted field that an item of the answer is about: by its name, else by its value, if only one field has that.
fn field_of<'a>(post: &Post<'a>, item: &Value) -> Option<&'a Field> {
    let text = |key: &str| item.get(key).and_then(Value::as_str);
    let by_name = |name: &str| post.fields.list.iter().rev().find(|field| field.name == name);
    if let Some(field) = ["id", "key"].into_iter().find_map(|key| by_name(text(key)?)) {
        return Some(field);
    }
    let value = text("value")?.trim();
    // A flag is put in front of telephone numbers.
    let mut same = post.fields.list.iter().filter(|field| {
        let own = field.value.trim();
        let before = value.strip_suffix(own).filter(|_| !own.is_empty());
        before.is_some_and(|before| !before.contains(char::is_alphanumeric))
    });
    same.next().filter(|_| same.next().is_none())
}

fn role(field: &Field, item: &Value) -> Option<Declared> {
    let text = |key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default();
    let by_label = names::of_label(text("label"));
    let by_type = match text("type") {
        "email" => declare::EM,
        "telephone" | "phone" | "tel" => declare::PH,
        "name" => match by_label {
            Meaning::Role(role @ (declare::FN | declare::LN)) => role,
            _ => Role::Name,
        },
        "text" | "select" | "radio" => return declare::by_label(field, text("label"), By::Answer),
        "textarea" | "checkbox" | "checkbox-multiple" | "consent" | "hidden" | "url" | "file" => {
            return Some(Declared::not_contact(&field.name));
        }
        _ => return None,
    };
    match by_label {
        // A company's name, a friend's address.
        Meaning::NotContact => Some(Declared::not_contact(&field.name)),
        _ => Some(declare::is(field, by_type, By::Answer)),
    }
}

#[cfg(test)]
mod tests {
    use crate::form::testing::{Case, contact};
    use crate::lead::contact::Key;

    const FIELDS: &str = "action=grunion-contact-form&contact-form-id=38&contact-form-hash=0a1b&\
        jetpack_contact_form_jwt=x.y.z&g38-wer=Ana+Ruiz&g38-email=ana.ruiz%40example.com&g38-number=0171+555+01234&\
        g38-firma=Example&g38-text=bob%40example.com";
    const DONE: &str = r#"{"success":true,"data":[
        {"label":"Wer","value":"Ana Ruiz","type":"name","id":"g38-wer","key":"1_Wer"},
        {"label":"Mail","value":"ana.ruiz@example.com","type":"email","id":"","key":"2_Mail"},
        {"label":"Number","value":"\ud83c\udde9\ud83c\uddea 0171 555 01234","type":"telephone","id":"","key":"3"},
        {"label":"Company","value":"Example","type":"name","id":"g38-firma","key":"4_Company"},
        {"label":"Text","value":"bob@example.com","type":"textarea","id":"g38-text","key":"5_Text"}]}"#;

    fn ajax(status: u16, answer: &str) -> Case {
        Case::post("/wp-admin/admin-ajax.php?action=grunion-contact-form", FIELDS).json(status, answer)
    }

    #[test]
    fn an_answer_to_the_script_says_success() {
        for (status, answer, verdict) in [
            (200, DONE, "lead"),
            (200, r#"{"success":true}"#, "lead"),
            (200, r#"{"success":false}"#, "validation"),
            (400, r#"{"success":false,"data":{"error":"x"}}"#, "validation"),
            (500, r#"{"success":false}"#, "upstream_error"),
            (400, r#"{"success":true}"#, "upstream_error"),
            (200, "{}", "unknown_outcome"),
        ] {
            assert_eq!(ajax(status, answer).verdict(), verdict, "{status} {answer}");
        }
        let page = Case::post("/contact/", FIELDS).json(200, DONE).header("accept", "application/json");
        assert_eq!(page.verdict(), "lead");
    }

    #[test]
    fn a_redirect_counts_with_its_mark_alone() {
        for (status, location, verdict) in [
            (302, "/contact/?contact-form-id=38&contact-form-sent=901&_wpnonce=a#contact-form-38", "lead"),
            (302, "https://shop.example/contact/?contact-form-sent=901", "lead"),
            (303, "?contact-form-sent=901", "lead"),
            (302, "/contact/?contact-form-sent=", "unknown_outcome"),
            (302, "/contact/?contact-form-sent=0", "unknown_outcome"),
            (302, "/contact/#contact-form-sent=901", "unknown_outcome"),
            (302, "/wp-login.php?redirect_to=%2F%3Fcontact-form-sent%3D901", "unknown_outcome"),
            (302, "/thanks", "unknown_outcome"),
            (301, "/contact/?contact-form-sent=901", "unknown_outcome"),
        ] {
            assert_eq!(Case::post("/contact/", FIELDS).redirect(status, location).verdict(), verdict, "{location}");
        }
    }

    #[test]
    fn a_page_that_answers_is_no_success() {
        for (answer, verdict) in [
            ("<div class='form-error'><ul><li>x</li></ul></div><form></form>", "validation"),
            ("<form></form>", "unknown_outcome"),
        ] {
            assert_eq!(Case::post("/contact/", FIELDS).html(200, answer).verdict(), verdict, "{answer}");
        }
    }

    #[test]
    fn the_answer_tells_what_the_fields_are() {
        let reading = ajax(200, DONE).read();
        assert_eq!((reading.handler, reading.form.as_str()), ("jetpack", "jetpack:38"));
        for (key, value) in
            [(Key::Em, "ana.ruiz@example.com"), (Key::Ph, "0171 555 01234"), (Key::Fn, "Ana"), (Key::Ln, "Ruiz")]
        {
            assert_eq!(contact(&reading, key), Some(value));
        }
        assert!(reading.roles.sources.iter().all(|source| source.source == "answer"));
        assert_eq!(reading.canonical_fields.len(), 5);
    }

    #[test]
    fn without_a_script_the_names_speak_and_the_redirect_gives_the_id() {
        let reading = Case::post("/contact/", FIELDS).redirect(302, "/contact/?contact-form-sent=901").read();
        assert_eq!(contact(&reading, Key::Em), Some("ana.ruiz@example.com"));
        assert_eq!(reading.supplied_event_id.unwrap().id, "jetpack:shop.example:jetpack:38:901");
        let hostile = FIELDS.replace("contact-form-id=38", "contact-form-id=%3Cb%3Eana%40example.com");
        let reading = Case::post("/contact/", hostile).redirect(302, "/?contact-form-sent=%0D%0Aa+b").read();
        assert!(reading.form.starts_with("/contact#"), "{}", reading.form);
        assert_eq!(reading.supplied_event_id, None);
    }

    #[test]
    fn two_fields_with_one_value_are_told_apart_by_name_only() {
        let body = "action=grunion-contact-form&g1-a=Ana&g1-b=Ana";
        let answer = |id: &str| {
            format!(r#"{{"success":true,"data":[{{"label":"Last name","value":"Ana","type":"text","id":"{id}"}}]}}"#)
        };
        let last = |id: &str| {
            let reading = Case::post("/", body).json(200, &answer(id)).read();
            contact(&reading, Key::Ln).map(str::to_owned)
        };
        assert_eq!(last("other"), None);
        assert_eq!(last("g1-b").as_deref(), Some("Ana"));
    }
}
