//! Laravel. A form that it refuses is sent back to where it came from, and so is many a form that it took; then the page
//! shows which. To scripts it answers with statuses.

use super::redirect::{self, Target};
use super::{Expected, Handler, Outcome, Post, Recognised, address, fragment, generic, next_page};
use crate::exchange::cookies;
use crate::form::answer::Answer;
use crate::reason::Reason;

pub(super) struct Laravel;

/// Length of the `_token` of Laravel's forms.
const TOKEN: usize = 40;
/// How its encrypted cookies begin: `{"iv":` in base64. Other software has an `XSRF-TOKEN`, too.
const ENCRYPTED: &str = "eyJpdiI6";

impl Handler for Laravel {
    fn name(&self) -> &'static str {
        "laravel"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        // Precognition: fields are checked while they are typed; nothing is submitted.
        if post.request.header("precognition").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Some(Recognised::Never(Reason::Step));
        }
        let by_field = post.fields.get("_token").is_some_and(is_token);
        (by_field || cookies(&post.request.headers).any(|(name, value)| is_cookie(name, value)))
            .then(|| address::of_target(post).map_or(Recognised::Form(None), Recognised::Never))
    }

    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if answer.status().as_u16() == 419 {
            return Outcome::refused(Reason::Nonce, "status:419");
        }
        let Some(location) = answer.header("location").filter(|_| answer.is_redirect()) else {
            return generic::outcome(post, answer);
        };
        match redirect::target(post, location) {
            Target::OwnPage { marked: false } => Outcome::later("redirect_back"),
            // "Back" is the page of the Referer, else the last one that the session saw: any page.
            Target::OtherPage if post.request.header("referer").is_none() => Outcome::later("redirect_to_somewhere"),
            target => target.outcome(),
        }
    }

    fn page_url(&self, post: &Post<'_>) -> Option<String> {
        fragment::page_url(post)
    }

    fn takes_anything(&self, _post: &Post<'_>) -> bool {
        true
    }

    fn follow_up(&self, expected: &Expected, page: &Answer<'_>) -> Outcome {
        next_page::outcome(expected, page)
    }
}

fn is_token(value: &str) -> bool {
    value.len() == TOKEN && value.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn is_cookie(name: &str, value: &str) -> bool {
    matches!(name, "laravel_session" | "laravel-session") || (name == "XSRF-TOKEN" && value.starts_with(ENCRYPTED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::testing::{ANA, Case, expected, word};

    fn post() -> Case {
        Case::post("/contact", format!("{ANA}&_token=abcdefghijABCDEFGHIJ0123456789abcdefghij"))
    }

    #[test]
    fn a_redirect_back_says_nothing_by_itself() {
        for (to, outcome, marker) in [
            ("/thanks", "accepted", "redirect_to_other_page"),
            ("https://shop.example/contact", "later", "redirect_back"),
            ("/contact?sent=1", "accepted", "redirect_with_success_mark"),
            ("/login", "refused", "redirect_to_login"),
            ("/error", "refused", "redirect_to_error"),
        ] {
            let reading = post().redirect(302, to).read();
            assert_eq!((reading.outcome, reading.marker.as_str()), (outcome, marker), "{to}");
            assert_eq!(reading.handler, "laravel");
        }
        let mut without_referer = post().redirect(302, "/contact-us");
        without_referer.headers.clear();
        assert_eq!(without_referer.read().marker, "redirect_to_somewhere");
    }

    #[test]
    fn scripts_are_answered_by_status() {
        let case = || post().header("accept", "application/json");
        assert_eq!(case().json(422, r#"{"message":"x","errors":{"email":["x"]}}"#).verdict(), "validation");
        assert_eq!(case().json(419, r#"{"message":"x"}"#).verdict(), "nonce");
        assert_eq!(case().json(201, r#"{"id":1}"#).verdict(), "lead");
        assert_eq!(case().html(204, "").verdict(), "lead");
        assert_eq!(case().json(200, r#"{"success":true}"#).verdict(), "lead");
        assert_eq!(case().json(200, r#"{"message":"x"}"#).verdict(), "unknown_outcome");
        assert_eq!(case().header("precognition", "true").html(204, "").verdict(), "step");
    }

    const PAGE: &str = "<form><input name=name><input name=email></form><p class='hint error'>x</p>";

    #[test]
    fn the_next_page_decides_by_marks_and_messages() {
        let with = |more: &str| format!("{PAGE}{more}");
        for (html, said) in [
            (with("<div class='alert alert-success'>x</div>"), "accepted"),
            (with("<div class='alert alert-danger'>x</div>"), "refused"),
            (with("<div class='alert alert-success'>x</div><p class='invalid-feedback'>y</p>"), "refused"),
            (PAGE.replace("name=email", "name=email class=is-invalid"), "refused"),
            (with("<div class='alert alert-warning'>x</div>"), "unknown"),
            (with("<div class='alert alert-success d-none'>x</div>"), "unknown"),
            (PAGE.to_owned(), "unknown"),
            ("<p>Danke!</p>".to_owned(), "accepted"),
            ("<p>Danke!</p><p class='text-danger'>x</p><p class='error'>y</p>".to_owned(), "refused"),
            (String::new(), "unknown"),
        ] {
            let record = Case::post("/", "").html(200, &html).exchange().response.unwrap();
            let outcome = Laravel.follow_up(&expected("laravel", Some(PAGE)), &Answer::new(&record));
            assert_eq!(word(&outcome), said, "{html}");
        }
        let unlearned = |html: &str| {
            let record = Case::post("/", "").html(200, html).exchange().response.unwrap();
            word(&Laravel.follow_up(&expected("laravel", None), &Answer::new(&record)))
        };
        assert_eq!(unlearned("<p>Danke!</p>"), "unknown");
        assert_eq!(unlearned("<p class='alert-danger'>x</p>"), "unknown");
        assert_eq!(unlearned("<p class='alert alert-success'>x</p>"), "unknown", "it may always be there");
        let record = Case::post("/", "").html(500, "<p class='alert alert-success'>").exchange().response.unwrap();
        assert_eq!(word(&Laravel.follow_up(&expected("laravel", Some(PAGE)), &Answer::new(&record))), "unknown");
    }

    #[test]
    fn laravel_is_known_by_its_token_and_its_cookies() {
        let handler = |body: &str, cookie: &str| {
            Case::post("/contact", body).header("cookie", cookie).redirect(302, "/thanks").read().handler
        };
        assert_eq!(handler(ANA, "laravel_session=x"), "laravel");
        assert_eq!(handler(ANA, "XSRF-TOKEN=eyJpdiI6Ik1"), "laravel");
        assert_eq!(handler(ANA, "XSRF-TOKEN=0a1b2c"), "generic");
        assert_eq!(handler(&format!("{ANA}&_token=short"), ""), "generic");
        let ajax =
            Case::post("/wp-admin/admin-ajax.php", format!("action=x&{ANA}")).header("cookie", "laravel_session=x");
        assert_eq!(ajax.read().handler, "wordpress");
        let forgot = Case::post("/forgot-password", ANA).header("cookie", "laravel_session=x").redirect(302, "/thanks");
        assert_eq!(forgot.verdict(), "login");
    }
}
