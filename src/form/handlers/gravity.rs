//! Gravity Forms (2.4 and the AJAX handler of 2.9). An outer `success:true` says nothing; `is_valid` does.

mod parts;

use serde_json::Value;

use super::{Handler, Outcome, Post, Recognised, form_id, generic, is_number, json_id, machine_word, redirect};
use crate::form::answer::Answer;
use crate::form::html;
use crate::form::roles::Declared;
use crate::reason::Reason;

const NAMESPACE: &str = "/gf/v2/";

pub(super) struct Gravity;

impl Handler for Gravity {
    fn name(&self) -> &'static str {
        "gravity"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        let action = post.action().filter(|action| action.starts_with("gform_"));
        let route = post.rest_route(NAMESPACE);
        let id = id_of(post, route);
        let is_form = ["gform_submit", "gform_ajax"].iter().any(|name| post.fields.get(name).is_some())
            || post.fields.has_prefix("is_submit_");
        if action.is_none() && route.is_none() && !is_form {
            return None;
        }
        let never = match (action, route) {
            (Some("gform_validate_form"), _) => Some(Reason::Step),
            (Some("gform_submit_form"), _) | (None, None) => None,
            (None, Some(route)) if route.ends_with("/submissions") => None,
            (None, Some(route)) if route.ends_with("/submissions/validation") => Some(Reason::Step),
            _ => Some(Reason::NotAForm),
        };
        let never = never.or_else(|| never_of_fields(post));
        Some(never.map_or_else(|| Recognised::Form(id.and_then(|id| form_id("gravity", &id))), Recognised::Never))
    }

    fn roles(&self, post: &Post<'_>, _answer: Option<&Answer<'_>>) -> Vec<Declared> {
        parts::declared(post)
    }

    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if is_unsigned(post) {
            return Outcome::refused(Reason::Honeypot, "no_version_hash");
        }
        if let Some(said) = answer.json().and_then(of_json) {
            // The REST answer to invalid fields is a 400; whatever else fails is no success.
            let failure = matches!(said, Outcome::Accepted(_)).then(|| Outcome::before_body(answer)).flatten();
            return failure.unwrap_or(said);
        }
        if let Some(said) = redirect::before_page(post, answer) {
            return said;
        }
        match id_of(post, None).filter(|id| is_number(id)) {
            Some(id) => of_html(post, answer, &id),
            None => Outcome::unknown("no_form_id"),
        }
    }

    fn submission_id(&self, _post: &Post<'_>, answer: &Answer<'_>) -> Option<String> {
        json_id(data(answer.json()?).get("entry_id"))
    }

    fn page_url(&self, post: &Post<'_>) -> Option<String> {
        post.fields.get("current_page_url").map(str::to_owned)
    }

    fn is_own_field(&self, name: &str) -> bool {
        let numbered = |prefix| name.strip_prefix(prefix).is_some_and(is_number);
        name.starts_with("gform_")
            || name.starts_with("_gform_")
            || numbered("is_submit_")
            || numbered("state_")
            || matches!(name, "version_hash" | "current_page_url" | "_validate_only" | "MAX_FILE_SIZE")
    }
}

/// The form's number, from the request's most explicit place to the least.
fn id_of(post: &Post<'_>, route: Option<&str>) -> Option<String> {
    let of_route = || route?.strip_prefix(NAMESPACE)?.strip_prefix("forms/")?.split('/').next();
    let of_marker = || post.fields.list.iter().find_map(|field| field.name.strip_prefix("is_submit_"));
    let id = of_route().or_else(|| post.fields.get("gform_submit")).or_else(of_marker);
    id.or_else(|| post.fields.get("form_id")).map(str::to_owned)
}

/// Posts of the form's own buttons that submit nothing: "next" and "back", "save and continue", checks of the fields.
fn never_of_fields(post: &Post<'_>) -> Option<Reason> {
    let filled = |name: &str| post.fields.get(name).is_some_and(|value| !value.trim().is_empty());
    if filled("gform_save") || filled("gform_send_resume_link") {
        return Some(Reason::Draft);
    }
    let is_step = post.fields.list.iter().any(|field| {
        field.name.strip_prefix("gform_target_page_number_").is_some_and(is_number)
            && field.value.trim().parse().is_ok_and(|page: u32| page > 0)
    });
    let is_on = |value: &str| !matches!(value, "" | "0" | "false");
    let only_validates = post.query("_validate_only").is_some_and(|value| is_on(&value))
        || post.fields.get("_validate_only").is_some_and(is_on);
    (is_step || only_validates).then_some(Reason::Step)
}

/// The form's script adds `version_hash` to each submission from 2.7 on, the version that also brought `gform_theme`. A
/// form with a trap takes a submission without it for a robot's, and shows its confirmation all the same.
fn is_unsigned(post: &Post<'_>) -> bool {
    let has_trap = post.form.is_some_and(|form| form.fields.iter().any(|field| field.trap));
    let is_signed = post.fields.get("version_hash").is_some_and(|value| !value.is_empty());
    has_trap && !is_signed && post.fields.get("gform_theme").is_some()
}

/// The result, which the REST API does not wrap.
fn data(json: &Value) -> &Value {
    json.get("data").unwrap_or(json)
}

fn of_json(json: &Value) -> Option<Outcome> {
    let data = data(json);
    if json.get("success") == Some(&Value::Bool(false)) && data.is_string() {
        return Some(Outcome::refused(Reason::Nonce, "success:false"));
    }
    let is_valid = data.get("is_valid")?.as_bool()?;
    let is_true = |key: &str| data.get(key).and_then(Value::as_bool) == Some(true);
    // CleanTalk writes what it thinks into the confirmation.
    let confirmations = ["confirmation_markup", "confirmation_message"];
    let mut markup = confirmations.iter().filter_map(|key| data.get(*key)?.as_str());
    if !is_valid {
        return Some(Outcome::refused(Reason::Validation, "is_valid:false"));
    }
    if is_true("is_spam") {
        return Some(Outcome::refused(Reason::Spam, "is_spam:true"));
    }
    if markup.any(|markup| html::has(markup.as_bytes(), CLEANTALK)) {
        return Some(Outcome::refused(Reason::Spam, "gform_cleantalk_error"));
    }
    if let Some(page) = json_id(data.get("page_number")) {
        return Some(Outcome::refused(Reason::Step, format!("page_number:{}", machine_word(&page))));
    }
    Some(Outcome::accepted("is_valid:true"))
}

const CLEANTALK: &str = ".gform_cleantalk_error";
/// Marks of a form that was refused. They stand in no form that was not posted.
const ERRORS: &str = ".gform_validation_error, .gform_validation_errors, .gfield_error, .validation_error";

/// The page, or the frame's document, that answers a post without `admin-ajax.php`. A blank form's script names the
/// marks of success too, so only elements count.
fn of_html(post: &Post<'_>, answer: &Answer<'_>, id: &str) -> Outcome {
    if answer.html().is_none() {
        return Outcome::unknown("no_html");
    }
    if answer.has(ERRORS) {
        return Outcome::refused(Reason::Validation, "gform_validation_error");
    }
    let wrapper = format!(
        "#gform_confirmation_wrapper_{id}, .gform_confirmation_wrapper_{id}, \
        #gform_confirmation_message_{id}, .gform_confirmation_message_{id}"
    );
    let is_confirmed = answer.has(&wrapper);
    if is_confirmed && answer.has(CLEANTALK) {
        return Outcome::refused(Reason::Spam, "gform_cleantalk_error");
    }
    if is_confirmed {
        return Outcome::accepted("gform_confirmation");
    }
    if answer.has(&format!("[name='is_submit_{id}'], [name='gform_submit'][value='{id}']")) {
        return Outcome::unknown("form_still_there");
    }
    // Where another form stands, its script may be what speaks of redirects.
    let has_form = answer.has("[name='gform_submit'], [name^='is_submit_']");
    if !has_form && answer.contains("gformRedirect()") == Ok(true) {
        return Outcome::accepted("gformRedirect");
    }
    // A confirmation without a text leaves the place where the form was.
    if answer.has(&format!("#gf_{id}.gform_anchor")) {
        return Outcome::accepted("gform_anchor");
    }
    generic::in_place_of_form(post, answer).unwrap_or_else(|| Outcome::unknown("no_confirmation"))
}

#[cfg(test)]
mod tests;
