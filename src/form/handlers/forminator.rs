//! Forminator (observed: 1.53.2). It answers `success:true` to bots and to its own calls for tokens; only to a
//! submission that it took it says what happens next (`behav`).

use super::declare::{self, By, is};
use super::{Handler, Outcome, Post, Recognised, form_id, is_filled, is_number, redirect, wp_json};
use crate::form::answer::Answer;
use crate::form::body::Field;
use crate::form::html;
use crate::form::roles::Declared;
use crate::reason::Reason;

const SUBMIT: &str = "forminator_submit_form_custom-forms";

pub(super) struct Forminator;

impl Handler for Forminator {
    fn name(&self) -> &'static str {
        "forminator"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        match post.action().filter(|action| action.starts_with("forminator_")) {
            Some(action) if action == SUBMIT => {}
            Some(action) => return Some(Recognised::Never(reason_of_action(action))),
            None => {
                post.fields.get("forminator_nonce")?;
            }
        }
        let field = |name: &str| post.fields.get(name).map(str::trim).unwrap_or_default();
        if matches!(field("form_type"), "login" | "registration") {
            return Some(Recognised::Never(Reason::Login));
        }
        if !matches!(field("save_draft"), "" | "0" | "false") {
            return Some(Recognised::Never(Reason::Draft));
        }
        Some(Recognised::Form(form_id("forminator", field("form_id"))))
    }

    fn roles(&self, post: &Post<'_>, _answer: Option<&Answer<'_>>) -> Vec<Declared> {
        post.fields.list.iter().filter_map(role).collect()
    }

    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        // A form without a script goes to its page of thanks; whatever it refuses it shows again.
        if let Some(location) = answer.header("location").filter(|_| answer.is_redirect()) {
            return redirect::target(post, location).outcome_where_only_success_redirects();
        }
        if let Some(outcome) = Outcome::before_body(answer) {
            return outcome;
        }
        let Some((success, data)) = wp_json(answer) else { return of_html(answer) };
        let word = |key: &str| data.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
        if is_filled(data.get("errors")) {
            Outcome::refused(Reason::Validation, "errors")
        } else if is_filled(data.get("draft_id")) || word("type") == "save_draft" {
            Outcome::refused(Reason::Draft, "draft")
        } else if !success && data.get("errors").is_none() {
            Outcome::refused(Reason::Nonce, "success:false")
        } else if !success {
            Outcome::refused(Reason::Validation, "success:false")
        } else if word("behav").starts_with("behaviour-") {
            Outcome::accepted("behav")
        } else {
            Outcome::refused(Reason::Honeypot, "success_without_behav")
        }
    }

    fn page_url(&self, post: &Post<'_>) -> Option<String> {
        post.fields.get("current_url").map(str::to_owned)
    }

    fn is_own_field(&self, name: &str) -> bool {
        OWN_FIELDS.contains(&name)
            || name.starts_with("forminator_")
            || typed(name).is_some_and(|(kind, _)| kind == "captcha")
    }

    fn is_trap(&self, _post: &Post<'_>, name: &str) -> bool {
        name.strip_prefix("input_").is_some_and(is_number)
    }
}

const OWN_FIELDS: &[&str] =
    &["form_id", "page_id", "form_type", "current_url", "render_id", "referer_url", "save_draft", "action"];

/// Fresh tokens, polls, quizzes, previews; what is kept of a form that was left.
fn reason_of_action(action: &str) -> Reason {
    let is_draft = ["draft", "abandon"].iter().any(|word| action.contains(word));
    if is_draft { Reason::Draft } else { Reason::NotAForm }
}

/// `address-1-city` → `address`, `city`.
fn typed(name: &str) -> Option<(&str, &str)> {
    let (kind, rest) = name.split_once('-')?;
    let (number, part) = rest.split_once('-').unwrap_or((rest, ""));
    is_number(number).then_some((kind, part))
}

/// What a field is by its type. A whole name (`name-1`) may be labelled "Company": the page or the name itself says
/// what it is.
fn role(field: &Field) -> Option<Declared> {
    let role = match typed(&field.name)? {
        ("email", "") => declare::EM,
        ("phone", "") => declare::PH,
        ("name", "first-name") => declare::FN,
        ("name", "last-name") => declare::LN,
        ("address", "city") => declare::CT,
        ("address", "state") => declare::ST,
        ("address", "zip") => declare::ZP,
        ("address", "country") => declare::COUNTRY,
        // Hidden ones are what the page itself put in; the rest nobody answers with an address.
        ("name", "prefix" | "middle-name")
        | ("address", "street_address" | "address_line")
        | ("hidden" | "textarea" | "consent" | "gdprcheckbox" | "upload" | "url", _) => {
            return Some(Declared::not_contact(&field.name));
        }
        _ => return None,
    };
    Some(is(field, role, By::Handler))
}

/// The blank form has an empty box for errors already.
fn of_html(answer: &Answer<'_>) -> Outcome {
    if answer.has(".forminator-response-message.forminator-success") {
        return Outcome::accepted("forminator-success");
    }
    let errors = answer.html().and_then(|html| html::text(html, ".forminator-response-message.forminator-error"));
    match errors {
        Some(text) if !text.is_empty() => Outcome::refused(Reason::Validation, "forminator-error"),
        _ => Outcome::unknown("no_response_message"),
    }
}

#[cfg(test)]
mod tests {
    use crate::form::testing::{Case, contact};
    use crate::lead::contact::Key;

    const FIELDS: &str = "name-1-first-name=Ana&name-1-last-name=Ruiz&email-1=ana.ruiz%40example.com&\
        phone-1=0171+555+01234&address-1-street_address=Example+Street+1&address-1-city=Bonn&address-1-zip=53111&\
        address-1-country=Germany&hidden-1=office%40shop.example&consent-1=checked&textarea-1=Hi&input_7=&\
        captcha-1=x&referer_url=https%3A%2F%2Fnews.example%2F&forminator_nonce=0a&form_id=17&page_id=4&\
        form_type=custom-form&current_url=https%3A%2F%2Fshop.example%2Fquote&render_id=0";
    const THANKS: &str = r#"{"success":true,"data":{"message":"x","behav":"behaviour-thankyou"}}"#;

    fn ajax(action: &str, more: &str) -> Case {
        Case::post("/wp-admin/admin-ajax.php", format!("{FIELDS}&action=forminator_{action}{more}"))
    }

    fn submit(more: &str) -> Case {
        ajax("submit_form_custom-forms", more)
    }

    #[test]
    fn a_success_that_says_not_what_comes_next_is_a_trap_that_closed() {
        for (answer, verdict) in [
            (THANKS, "lead"),
            (r#"{"success":true,"data":{"behav":"behaviour-hide"}}"#, "lead"),
            (r#"{"success":true,"data":{"behav":"behaviour-redirect","url":"/x"}}"#, "lead"),
            (r#"{"success":true,"data":{"message":"x"}}"#, "honeypot"),
            (r#"{"success":true,"data":"0a1b2c"}"#, "honeypot"),
            (r#"{"success":true,"data":{"behav":""}}"#, "honeypot"),
            (r#"{"success":true,"data":{"draft_id":"a1","behav":"behaviour-hide"}}"#, "draft"),
            (r#"{"success":true,"data":{"type":"save_draft"}}"#, "draft"),
            (r#"{"success":true,"data":{"behav":"behaviour-hide","errors":[{"email-1":"x"}]}}"#, "validation"),
            (r#"{"success":false,"data":{"message":"x","errors":[{"email-1":"x"}]}}"#, "validation"),
            (r#"{"success":false,"data":{"message":"x","errors":[]}}"#, "validation"),
            (r#"{"success":false,"data":"x"}"#, "nonce"),
            (r#"{"message":"x"}"#, "unknown_outcome"),
        ] {
            assert_eq!(submit("").json(200, answer).verdict(), verdict, "{answer}");
        }
        assert_eq!(submit("").json(403, THANKS).verdict(), "upstream_error");
        assert_eq!(submit("").redirect(302, "/thanks").verdict(), "lead");
        assert_eq!(submit("").redirect(302, "/wp-login.php").verdict(), "login");
    }

    #[test]
    fn a_page_that_answers_tells_by_the_box_that_is_filled() {
        const EMPTY: &str = "<form><div class='forminator-response-message forminator-error'> </div></form>";
        let success = format!("{EMPTY}<div class='forminator-response-message forminator-success'><p>x</p></div>");
        for (answer, verdict) in [
            (success.as_str(), "lead"),
            (EMPTY, "unknown_outcome"),
            ("<div class='forminator-response-message forminator-error'><p>x</p></div>", "validation"),
            ("<script>var a = '.forminator-response-message.forminator-success';</script>", "unknown_outcome"),
            ("<div class='forminator-success'></div>", "unknown_outcome"),
            ("", "unknown_outcome"),
        ] {
            for body in [FIELDS.to_owned(), format!("{FIELDS}&action=forminator_submit_form_custom-forms")] {
                let reading = Case::post("/quote/", body).html(200, answer);
                assert_eq!((reading.verdict(), reading.read().handler), (verdict, "forminator"), "{answer}");
            }
        }
    }

    #[test]
    fn tokens_polls_previews_drafts_and_logins_are_no_submissions() {
        for (case, reason) in [
            (ajax("get_nonce", ""), "not_a_form"),
            (ajax("submit_form_poll", ""), "not_a_form"),
            (ajax("submit_form_quizzes", ""), "not_a_form"),
            (ajax("submit_preview_form_custom-forms", ""), "not_a_form"),
            (ajax("save_abandonment", ""), "draft"),
            (submit("&save_draft=true"), "draft"),
            (submit("&save_draft=false"), "lead"),
            (submit("&form_type=login"), "login"),
            (submit("&form_type=registration"), "login"),
            (submit("&password-1=x"), "password"),
            (submit("&input_12=x"), "honeypot"),
            (submit("&input_12="), "lead"),
            (submit("&input_name=x"), "lead"),
        ] {
            let case = case.json(200, THANKS);
            assert_eq!(case.verdict(), reason, "{}", case.body);
        }
    }

    #[test]
    fn the_types_in_the_names_say_what_is_what() {
        let reading = submit("").json(200, THANKS).read();
        for (key, value) in [
            (Key::Em, "ana.ruiz@example.com"),
            (Key::Ph, "0171 555 01234"),
            (Key::Fn, "Ana"),
            (Key::Ln, "Ruiz"),
            (Key::Ct, "Bonn"),
            (Key::Zp, "53111"),
            (Key::Country, "Germany"),
        ] {
            assert_eq!(contact(&reading, key), Some(value));
        }
        assert!(reading.roles.sources.iter().all(|source| source.source == "handler"));
        assert_eq!(reading.form, "forminator:17");
        assert_eq!(reading.page_url.as_deref(), Some("https://shop.example/quote"));
        assert_eq!(reading.referrer_url.as_deref(), Some("https://news.example/"));
        assert!(
            reading.canonical_fields.iter().all(|(name, _)| !name.starts_with("forminator") && name != "form_type")
        );
    }

    #[test]
    fn what_the_page_put_in_is_nobodys_address() {
        let body = "action=forminator_submit_form_custom-forms&hidden-1=office%40shop.example&name-1=Ana+Ruiz&\
            phone-1=no&form_id=%3Cb%3E&current_url=%2Fquote";
        let reading = Case::post("/wp-admin/admin-ajax.php", body).json(200, THANKS).read();
        assert_eq!((contact(&reading, Key::Em), contact(&reading, Key::Ph)), (None, None));
        assert_eq!(contact(&reading, Key::Fn), Some("Ana"));
        assert!(reading.form.starts_with("/contact#"), "{}", reading.form);
        assert_eq!(reading.page_url.as_deref(), Some("https://shop.example/contact"));
    }
}
