//! Messages by which a page says how the last submission went: `<div class="alert alert-success">`.
//!
//! Only class names are looked at. One that says both what it is (an alert, a message) and how it went is taken; a
//! `btn-success` is a button, a `text-danger` the star of a required field.

use lol_html::html_content::Element;

use super::html;
use super::words::Words;

/// What the messages of a page say. One bad sign outweighs every good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flash {
    Success,
    Failure,
    Silent,
}

/// Words of classes that are messages.
const MESSAGE: &[&str] = &[
    "alert",
    "alerts",
    "flash",
    "flashes",
    "message",
    "messages",
    "msg",
    "notice",
    "notification",
    "toast",
    "callout",
    "status",
];
const GOOD: &[&str] = &["success", "successful"];
const BAD: &[&str] = &["danger", "error", "errors", "warning", "fail", "failed", "failure", "invalid", "alarm"];
/// Classes by which frameworks hide what their scripts show later.
const HIDDEN: &[&str] = &["d-none", "hidden", "hide", "is-hidden", "invisible", "visually-hidden", "sr-only"];

/// Reads a page or a part of one.
pub(super) fn read(html: &[u8]) -> Flash {
    let mut good = false;
    let bad = html::first(html, "[class]", |element| match of_element(element) {
        Flash::Failure => Some(()),
        Flash::Success => {
            good = true;
            None
        }
        Flash::Silent => None,
    });
    match (bad, good) {
        (Some(()), _) => Flash::Failure,
        (None, true) => Flash::Success,
        (None, false) => Flash::Silent,
    }
}

/// Whether an element is a message of success: a look at one of many, so most are dismissed at once.
pub(super) fn is_success(element: &Element<'_, '_>, class: &str) -> bool {
    memchr::memmem::find(class.as_bytes(), b"success").is_some() && of_element(element) == Flash::Success
}

fn of_element(element: &Element<'_, '_>) -> Flash {
    let class = element.get_attribute("class").unwrap_or_default();
    if is_hidden(element, &class) {
        return Flash::Silent;
    }
    // Django's `<li class="success">`, a script's `<p class="success">`: there is nothing else to be successful.
    let is_text = matches!(element.tag_name().as_str(), "p" | "div" | "li" | "span");
    if is_text && class.split_ascii_whitespace().any(|class| class == "success") {
        return Flash::Success;
    }
    let words = Words::of(&class);
    if !words.has(MESSAGE) {
        return Flash::Silent;
    }
    if words.has(BAD) {
        Flash::Failure
    } else if words.has(GOOD) {
        Flash::Success
    } else {
        Flash::Silent
    }
}

fn is_hidden(element: &Element<'_, '_>, class: &str) -> bool {
    let style: String =
        element.get_attribute("style").unwrap_or_default().chars().filter(|c| !c.is_whitespace()).collect();
    element.has_attribute("hidden")
        || element.get_attribute("aria-hidden").is_some_and(|value| value == "true")
        || style.to_ascii_lowercase().contains("display:none")
        || class.split_ascii_whitespace().any(|class| HIDDEN.contains(&class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_must_say_what_it_is_and_how_it_went() {
        for (html, flash) in [
            ("<div class='alert alert-success'>x</div>", Flash::Success),
            ("<div class='flash-message success'>x</div>", Flash::Success),
            ("<div class='toast is-success'>x</div>", Flash::Success),
            ("<ul class=messages><li class=success>x</ul>", Flash::Success),
            ("<a class=success>x</a>", Flash::Silent),
            ("<div class='alert alert-danger'>x</div>", Flash::Failure),
            ("<div class='messages messages--error'>x</div>", Flash::Failure),
            ("<div class='alert alert-warning'>x</div>", Flash::Failure),
            ("<div class='alert alert-success'>x</div><p class='flash error'>y</p>", Flash::Failure),
            ("<button class='btn btn-success'>x</button><i class='text-danger'>*</i>", Flash::Silent),
            ("<div class='alert alert-info'>x</div>", Flash::Silent),
            ("<div class='alert alert-success d-none'>x</div>", Flash::Silent),
            ("<div class='alert alert-success' style='display: none'>x</div>", Flash::Silent),
            ("<div class='alert alert-danger' hidden>x</div>", Flash::Silent),
            ("", Flash::Silent),
        ] {
            assert_eq!(read(html.as_bytes()), flash, "{html}");
        }
    }

    #[test]
    fn boundless_pages_end_somewhere() {
        let deep = "<div class='alert'>".repeat(100_000);
        assert_eq!(read(deep.as_bytes()), Flash::Silent);
    }
}
