//! Contact Form 7 (observed: 6.1.6, 5.7.7). Its answer is 200 for everything; the `status` word decides.

use http::StatusCode;
use serde_json::Value;

use super::{Handler, Outcome, Post, Recognised, form_id, machine_word};
use crate::form::answer::Answer;
use crate::form::html::{attribute, has_class};
use crate::reason::Reason;

const NAMESPACE: &str = "/contact-form-7/v1/";

pub(super) struct ContactForm7;

impl Handler for ContactForm7 {
    fn name(&self) -> &'static str {
        "cf7"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        if let Some(route) = post.rest_route(NAMESPACE) {
            let id = route.strip_prefix(NAMESPACE)?.strip_prefix("contact-forms/");
            let id = id.and_then(|rest| rest.strip_suffix("/feedback"));
            // `…/refill` and `…/feedback/schema` are no submissions.
            return Some(id.map_or(Recognised::Never(Reason::NotAForm), |id| Recognised::Form(form_id("cf7", id))));
        }
        let id = post.fields.get("_wpcf7").filter(|_| unit_tag(post).is_some())?;
        Some(Recognised::Form(form_id("cf7", id)))
    }

    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if let Some(json) = answer.json() {
            let status = json.get("status").and_then(Value::as_str);
            return match status {
                Some(status) if answer.status() == StatusCode::OK => of_status_word(status),
                // 415, 404, 400: the protocol's own errors.
                _ => Outcome::of_status(answer).unwrap_or_else(|| Outcome::unknown("json_without_status")),
            };
        }
        if let Some(failure) = Outcome::of_status(answer) {
            return failure;
        }
        if let Err(why) = answer.body() {
            return Outcome::without_body(why);
        }
        // Without scripts the whole page comes back; the form that was posted carries the status.
        let Some(tag) = unit_tag(post) else { return Outcome::unknown("no_unit_tag") };
        let status = answer.select(&format!("#{tag} form"), |form| {
            attribute(form, "data-status").or_else(|| {
                let class = HTML_STATUS.iter().find(|(class, _)| has_class(form, class));
                class.map(|(class, _)| (*class).to_owned())
            })
        });
        status.map_or_else(|| Outcome::unknown("form_without_status"), |status| of_status_word(&status))
    }

    fn is_own_field(&self, name: &str) -> bool {
        name.starts_with('_') || name.starts_with("quiz-") || name.starts_with("captcha-")
    }
}

/// The words of the HTML form, and those of the JSON answer that mean the same.
const HTML_STATUS: &[(&str, &str)] = &[
    ("sent", "mail_sent"),
    ("invalid", "validation_failed"),
    ("unaccepted", "acceptance_missing"),
    ("failed", "mail_failed"),
    ("spam", "spam"),
    ("aborted", "aborted"),
];

fn of_status_word(word: &str) -> Outcome {
    let status = HTML_STATUS.iter().find(|(html, _)| *html == word).map_or(word, |(_, status)| status);
    let marker = format!("status:{}", machine_word(status));
    match status {
        "mail_sent" => Outcome::accepted(marker),
        // Aborted: a plugin of the site stopped it before any mail; the site did not take it.
        "validation_failed" | "acceptance_missing" | "aborted" => Outcome::refused(Reason::Validation, marker),
        "spam" => Outcome::refused(Reason::Spam, marker),
        "mail_failed" => Outcome::refused(Reason::MailFailed, marker),
        // `init` (a page from a cache), or a word of an extension such as `payment_required`.
        _ => Outcome::unknown(marker),
    }
}

/// `wpcf7-f5-p7-o1`: the instance of the form on its page. It goes into a selector, so nothing else passes.
fn unit_tag<'a>(post: &Post<'a>) -> Option<&'a str> {
    let tag = post.fields.get("_wpcf7_unit_tag")?;
    let plain = tag.len() <= 64 && tag.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    (plain && tag.starts_with("wpcf7-f")).then_some(tag)
}
