//! Symfony's forms. One that is refused is drawn again, with 422 since 5.3 and 200 before; a redirect is the answer to
//! one that was taken, also to the page it was on.

use super::redirect;
use super::{Handler, Outcome, Post, Recognised, address, form_id, fragment, generic};
use crate::form::answer::Answer;
use crate::form::words::Words;
use crate::reason::Reason;

pub(super) struct Symfony;

impl Handler for Symfony {
    fn name(&self) -> &'static str {
        "symfony"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        let form = form_name(post)?;
        let words = Words::of(form);
        let never = if words.has(&["checkout", "cart", "order", "basket", "payment"]) {
            Some(Reason::Checkout)
        } else if words.has(&["comment"]) {
            Some(Reason::Comment)
        } else if words.has(&["search"]) {
            Some(Reason::Search)
        } else {
            address::of_target(post)
        };
        Some(never.map_or_else(|| Recognised::Form(form_id("symfony", form)), Recognised::Never))
    }

    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if let Some(failure) = Outcome::of_status(answer) {
            return failure;
        }
        if let Some(location) = answer.header("location").filter(|_| answer.is_redirect()) {
            return redirect::target(post, location).outcome_where_only_success_redirects();
        }
        let again = form_name(post).is_some_and(|form| answer.has(&format!(r#"[name="{form}[_token]"]"#)));
        if again {
            return Outcome::refused(Reason::Validation, "form_again");
        }
        generic::outcome(post, answer)
    }

    fn page_url(&self, post: &Post<'_>) -> Option<String> {
        fragment::page_url(post)
    }

    fn takes_anything(&self, _post: &Post<'_>) -> bool {
        true
    }
}

/// `contact[_token]` → `contact`. It goes into a selector, so nothing else passes.
fn form_name<'a>(post: &Post<'a>) -> Option<&'a str> {
    let plain = |name: &&str| {
        (1..=40).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    };
    post.fields.list.iter().find_map(|field| field.name.strip_suffix("[_token]").filter(plain))
}

#[cfg(test)]
mod tests {
    use crate::form::testing::{Case, contact};
    use crate::lead::contact::Key;

    const BODY: &str = "contact%5Bname%5D=Ana+Ruiz&contact%5Bemail%5D=ana.ruiz%40example.com&contact%5B_token%5D=a.b.c";
    const PAGE: &str = r#"<form name="contact"><input name="contact[name]"><input name="contact[email]">
        <input type="hidden" name="contact[_token]"></form>"#;

    fn post() -> Case {
        Case::post("/contact", BODY)
    }

    #[test]
    fn only_success_redirects() {
        for (case, verdict) in [
            (post().redirect(303, "/thanks"), "lead"),
            (post().redirect(302, "/contact"), "lead"),
            (post().redirect(303, "/login"), "login"),
            (post().redirect(303, "/contact?error=mail"), "validation"),
            (post().redirect(302, "javascript:x"), "unknown_outcome"),
            (post().html(422, PAGE), "validation"),
            (post().html(200, PAGE), "validation"),
            (post().html(200, "<p>Danke!</p>"), "unknown_outcome"),
            (post().html(200, "<p>Danke!</p>").page(PAGE), "lead"),
            (post().json(200, r#"{"success":true}"#), "lead"),
            (post().html(500, ""), "upstream_error"),
        ] {
            assert_eq!(case.verdict(), verdict, "{} {:?}", case.status, case.answer);
        }
    }

    #[test]
    fn a_form_is_named_and_its_fields_are_read() {
        let reading = post().redirect(303, "/thanks").read();
        assert_eq!((reading.handler, reading.form.as_str()), ("symfony", "symfony:contact"));
        assert_eq!(contact(&reading, Key::Em), Some("ana.ruiz@example.com"));
        assert_eq!(contact(&reading, Key::Fn), Some("Ana"));
        assert!(reading.canonical_fields.iter().all(|(name, _)| !name.contains("_token")));
    }

    #[test]
    fn shops_accounts_and_odd_names_are_left_alone() {
        let verdict = |form: &str| {
            let body = format!("{form}%5Bemail%5D=ana%40example.com&{form}%5B_token%5D=x");
            Case::post("/x", body).redirect(303, "/thanks").read()
        };
        for (form, reason) in [
            ("sylius_checkout_address", "checkout"),
            ("add_to_cart", "checkout"),
            ("blog_comment", "comment"),
            ("reset_password_request_form", "password"),
        ] {
            assert_eq!(crate::form::testing::reason(&verdict(form)), reason, "{form}");
        }
        assert_eq!(verdict("a%5D%2C*%5Bb").handler, "generic");
        let vote = Case::post("/x", "vote%5Bup%5D=1&vote%5B_token%5D=x").redirect(303, "/thanks");
        assert_eq!(vote.verdict(), "no_contact");
    }
}
