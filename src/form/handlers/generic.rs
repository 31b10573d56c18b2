//! Forms of unknown software: legacy scripts, frameworks, home-made endpoints.
//!
//! Only signs that mean the same everywhere count: a redirect to another page, a conventional key in a JSON answer, a
//! known form that is gone from the page. Whatever else a 200 says stays unknown; a `[[form]]` rule can decide it.

use super::redirect::{self, Target};
use super::{Expected, Handler, Outcome, Post, Recognised, address, fragment, json, next_page};
use crate::form::answer::Answer;
use crate::form::flash::{self, Flash};
use crate::form::html::{self, attribute};
use crate::form::page::{Page, PageState};
use crate::reason::Reason;

pub(super) struct Generic;

impl Handler for Generic {
    fn name(&self) -> &'static str {
        "generic"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        Some(recognise(post))
    }

    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        outcome(post, answer)
    }

    fn page_url(&self, post: &Post<'_>) -> Option<String> {
        fragment::page_url(post)
    }

    fn is_own_field(&self, name: &str) -> bool {
        // Next.js: which server action is meant, before and behind the number of the form's copy.
        name.contains("$ACTION_")
    }

    fn takes_anything(&self, _post: &Post<'_>) -> bool {
        true
    }

    fn follow_up(&self, expected: &Expected, page: &Answer<'_>) -> Outcome {
        next_page::outcome(expected, page)
    }
}

/// Every post that is nobody else's.
pub(super) fn recognise(post: &Post<'_>) -> Recognised {
    address::of_target(post).map_or(Recognised::Form(None), Recognised::Never)
}

/// What an answer says by signs that mean the same everywhere.
pub(super) fn outcome(post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
    if let Some(failure) = Outcome::of_status(answer) {
        return failure;
    }
    // Cloudflare's own page, whatever its status.
    if answer.header("cf-mitigated").is_some() {
        return Outcome::refused(Reason::Spam, "cf-mitigated");
    }
    if let Some(location) = answer.header("location").filter(|_| answer.is_redirect()) {
        return match redirect::target(post, location) {
            // Post/Redirect/Get: the page that the browser loads next tells.
            Target::OwnPage { marked: false } => Outcome::later("redirect_to_own_page"),
            target => target.outcome(),
        };
    }
    if let Some(location) = fragment::location(post, answer) {
        return redirect::target(post, &location).outcome();
    }
    let status = answer.status();
    if !status.is_success() {
        return Outcome::unknown(format!("status:{}", status.as_u16()));
    }
    let body = match answer.body() {
        Ok(body) => body,
        Err(why) => return Outcome::without_body(why),
    };
    if fragment::is_next_action(post) {
        return Outcome::unknown("server_action");
    }
    if let Some(json) = answer.json() {
        let mut to = ["redirect", "redirect_url", "redirectUrl", "redirect_to", "next"].iter();
        let to =
            to.find_map(|key| json.get(*key)?.as_str().filter(|url| url.starts_with('/') || url.starts_with("http")));
        return match json::verdict(json) {
            Outcome::Unknown(_) if to.is_some() => redirect::target(post, to.unwrap_or_default()).outcome(),
            // RFC 9110 15.3.2: something was created; frameworks answer with the record itself.
            Outcome::Unknown(_) if status.as_u16() == 201 => Outcome::accepted("status:201"),
            said => said,
        };
    }
    // Frameworks' bodiless "done" to a script. A browser that follows a form would show nothing: not that.
    let is_by_script = post.is_by_script() || fragment::is_htmx(post);
    if matches!(status.as_u16(), 201 | 204) && body.trim_ascii().is_empty() && is_by_script {
        let done = || Outcome::accepted(format!("status:{}", status.as_u16()));
        return fragment::events(answer).unwrap_or_else(done);
    }
    if fragment::is_fragment(post, answer) && status.as_u16() == 200 {
        return fragment::outcome(post, answer);
    }
    html(post, answer)
}

/// A thank-you page printed in place of the form.
fn html(post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
    let Some(page) = answer.page().filter(|_| answer.status().as_u16() == 200) else {
        return Outcome::unknown("answer_not_telling");
    };
    let Some(form) = post.form else { return Outcome::unknown("page_not_learned") };
    let body = answer.body().unwrap_or_default();
    if body.trim_ascii().is_empty() {
        return Outcome::unknown("answer_empty");
    }
    let form_is_there = page.has_form(form);
    let has_message = page.success_messages > post.before.success_messages && flash::read(body) == Flash::Success;
    if form_is_there && !has_message {
        return Outcome::unknown("form_still_there");
    }
    if page.invalid_marks > post.before.invalid_marks {
        return Outcome::refused(Reason::Validation, "marked_invalid");
    }
    if let Some(said) = page_of_failure(post, page, body) {
        return said;
    }
    if form_is_there { Outcome::accepted("message_of_success") } else { form_gone(page, post.before) }
}

/// The form that was sent is not on the page. In its place another one is the next step, or a confirmation.
pub(super) fn form_gone(page: &Page, before: PageState) -> Outcome {
    if page.state().typed_forms >= before.typed_forms.max(1) {
        Outcome::unknown("another_form")
    } else {
        Outcome::accepted("form_gone")
    }
}

/// A page that stands where the known form stood: what a handler asks whose software can show any page in place of the
/// form, when the answer has no mark of that software's own.
pub(super) fn in_place_of_form(post: &Post<'_>, answer: &Answer<'_>) -> Option<Outcome> {
    Some(html(post, answer)).filter(|said| matches!(said, Outcome::Accepted(marker) if marker == "form_gone"))
}

/// PHP's own words for a script that died half-way, under status 200.
pub(super) fn has_died(body: &[u8]) -> bool {
    [b"<b>Fatal error</b>".as_slice(), b"<b>Parse error</b>"].iter().any(|e| memchr::memmem::find(body, e).is_some())
}

/// What a page may be, besides a good end, that does not show the form that was sent.
pub(super) fn page_of_failure(post: &Post<'_>, page: &Page, body: &[u8]) -> Option<Outcome> {
    if let Some(said) = failure_in(page, body, post.before) {
        return Some(said);
    }
    let refresh = html::first(body, "meta[http-equiv]", |meta| {
        let is_refresh = attribute(meta, "http-equiv").is_some_and(|kind| kind.eq_ignore_ascii_case("refresh"));
        attribute(meta, "content").filter(|_| is_refresh)
    });
    let by_meta = refresh.as_deref().and_then(|refresh| refresh.split_once('=')).map(|(_, url)| url);
    let url = by_meta.map(str::to_owned).or_else(|| location_in_script(body))?;
    match redirect::target(post, url.trim().trim_matches(['\'', '"'])) {
        Target::OtherPage => None,
        target => Some(target.outcome()),
    }
}

/// The same by the page alone.
pub(super) fn failure_in(page: &Page, body: &[u8], before: PageState) -> Option<Outcome> {
    let holds = |text: &[u8]| memchr::memmem::find(body, text).is_some();
    if has_died(body) {
        return Some(Outcome::refused(Reason::UpstreamError, "php_error"));
    }
    // PHP's words for a mail that could not be sent, among others; the site may have thanked all the same.
    if holds(b"<b>Warning</b>:") {
        return Some(Outcome::unknown("php_warning"));
    }
    // Cloudflare asks for proof of a person, under whatever status.
    if holds(b"_cf_chl_opt") {
        return Some(Outcome::refused(Reason::Spam, "challenge"));
    }
    // `alert('wrong code'); history.back()`: how scripts without a page of their own refuse. A link back may be on a page
    // of thanks as well.
    if holds(b"history.back(") || holds(b"history.go(") {
        return Some(if holds(b"alert(") {
            Outcome::refused(Reason::Validation, "sent_back_by_script")
        } else {
            Outcome::unknown("link_back")
        });
    }
    // Unless it always does: a login in the margin.
    if page.asks_for_password() && !before.asks_for_password {
        return Some(Outcome::refused(Reason::Login, "page_asks_for_password"));
    }
    // `die("wrong code")`
    if !body.contains(&b'<') {
        return Some(Outcome::unknown("bare_text"));
    }
    // Its own title says that it is a page of errors. That decides against a lead, never for one.
    let says_error =
        |selector| html::text(body, selector).is_some_and(|text| redirect::verdict_of_word(&text) == Some(false));
    (says_error("title") || says_error("h1")).then(|| Outcome::unknown("title_of_error"))
}

/// Where a page that is nothing but a script sends the browser: `location.href='/contact'`.
fn location_in_script(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok().filter(|text| text.len() <= 2048 && text.contains("<script"))?;
    let (_, after) = text.split_once("location")?;
    let target = after.split_once(['=', '('])?.1.trim_start();
    if target.starts_with("document.referrer") {
        return Some(String::new());
    }
    let quote = target.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    target.get(1..)?.split(quote).next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::form::testing::{ANA, Case};

    #[test]
    fn a_next_page_by_name_or_a_marked_page_of_its_own_is_a_good_end() {
        for location in [
            "/thank-you",
            "/danke.html",
            "/merci",
            "/gracias",
            "/grazie",
            "/obrigado",
            "/bedankt",
            "/dziekujemy",
            "/tack",
            "/contact?sent=1",
            "/contact?success",
            "/contact?mail=ok",
            "/contact#danke",
        ] {
            assert_eq!(Case::post("/mail.php", ANA).redirect(302, location).verdict(), "lead", "{location}");
        }
        for location in ["/contact?sent=0", "/contact?sent=1&error=2", "/contact", "/mail.php?page=2"] {
            assert_ne!(Case::post("/mail.php", ANA).redirect(302, location).verdict(), "lead", "{location}");
        }
    }

    #[test]
    fn legacy_mailers_answer_scripts_in_json() {
        for (answer, verdict) in [
            (r#"{"status":"success"}"#, "lead"),
            (r#"{"error":false}"#, "lead"),
            (r#"{"type":"success","text":"x"}"#, "lead"),
            (r#"{"type":"error","text":"x"}"#, "validation"),
            (r#"{"error":true}"#, "validation"),
            (r#"{"status":"error"}"#, "validation"),
            (r#"{"message":"x"}"#, "unknown_outcome"),
        ] {
            let case = Case::post("/send.php", ANA).html(200, answer).header("x-requested-with", "XMLHttpRequest");
            assert_eq!(case.verdict(), verdict, "{answer}");
        }
    }

    proptest! {
        /// Whatever a visitor posts and a site answers, some handler says something, and none panics.
        #[test]
        fn noise_in_the_shape_of_any_software_is_read(
            body in "(form_id=|form_build_id=|webform_submission_|_node_|_add_form|op=Next|x%5B_token%5D|_token=|option=|\
                com_contact|task=contact.submit|tx_powermail_pi1%5Bfield%5D%5B|tx_form_formframework%5B|%5B__state%5D|\
                \\{\"components\":|\"snapshot\":|\"calls\":|\"query\":\"mutation |\"variables\":|[\\[\\]{}\":,&=.]|[a-z]){0,40}",
            answer in "(<form|<input name=|data-page=|\"props\":|\"component\":|\"errors\":|\"command\":|\"data\":|\"url\":|\
                joomla-alert|\"joomla.messages\":|<turbo-stream|[\\[\\]{}\":,<>/=]|[a-z ]){0,40}",
            header in prop_oneof![
                Just("x-livewire"), Just("x-inertia"), Just("hx-request"), Just("next-action"), Just("x-requested-with"),
            ],
            is_json in any::<bool>(),
            status in prop_oneof![Just(200_u16), Just(302), Just(303), Just(422)],
        ) {
            let mut case = Case::post("/contact", body).header(header, "true").html(status, &answer);
            case.answer_headers.extend([("location", "/?a=%zz#"), ("hx-trigger", "{\"a\":{\"type\":7}}")]);
            if is_json {
                case.content_type = "application/json";
            }
            drop(case.read());
        }
    }
}
