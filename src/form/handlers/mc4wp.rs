//! Mailchimp for WordPress (4.13). A post to the page itself; fields have the names of Mailchimp's merge tags.

use super::{Handler, Outcome, Post, Recognised, declare, form_id, redirect};
use crate::form::answer::Answer;
use crate::form::roles::{Declared, Role};
use crate::reason::Reason;

pub(super) struct Mc4wp;

impl Handler for Mc4wp {
    fn name(&self) -> &'static str {
        "mc4wp"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        let id = post.fields.get("_mc4wp_form_id")?;
        // The same form can take people off the list.
        let leaves = post.fields.get("_mc4wp_action").is_some_and(|action| action == "unsubscribe");
        Some(if leaves { Recognised::Never(Reason::NotAForm) } else { Recognised::Form(form_id("mc4wp", id)) })
    }

    fn roles(&self, post: &Post<'_>, _answer: Option<&Answer<'_>>) -> Vec<Declared> {
        declare::by_names(&post.fields.list, NAMES)
    }

    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if let Some(said) = redirect::before_page(post, answer) {
            return said;
        }
        // The form that was posted carries the message; one on the page that a cache gave another id is still found.
        let own = post.fields.get("_mc4wp_form_element_id").filter(|id| is_element_id(id)).map(|id| format!("#{id} "));
        let scope = own.filter(|scope| answer.has(scope.trim())).unwrap_or_default();
        let has = |class: &str| answer.has(&format!("{scope}.{class}"));
        if let Some(class) = ["mc4wp-error", "mc4wp-notice"].into_iter().find(|class| has(class)) {
            return Outcome::refused(Reason::Validation, class);
        }
        if has("mc4wp-alert.mc4wp-success") {
            return Outcome::accepted("mc4wp-success");
        }
        Outcome::unknown("no_alert")
    }

    fn is_own_field(&self, name: &str) -> bool {
        name.starts_with("_mc4wp_")
    }
}

const NAMES: &[(&str, Option<Role>)] = &[
    ("EMAIL", Some(declare::EM)),
    ("PHONE", Some(declare::PH)),
    ("FNAME", Some(declare::FN)),
    ("LNAME", Some(declare::LN)),
    ("ADDRESS[addr1]", None),
    ("ADDRESS[addr2]", None),
    ("ADDRESS[city]", Some(declare::CT)),
    ("ADDRESS[state]", Some(declare::ST)),
    ("ADDRESS[zip]", Some(declare::ZP)),
    ("ADDRESS[country]", Some(declare::COUNTRY)),
];

/// `mc4wp-form-1`, fit for a selector.
fn is_element_id(id: &str) -> bool {
    let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    plain && id.len() <= 64 && id.starts_with(|c: char| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use crate::form::testing::{Case, contact};
    use crate::lead::contact::Key;

    const FIELDS: &str = "EMAIL=ana.ruiz%40example.com&FNAME=Ana&LNAME=Ruiz&PHONE=0171+555+01234&\
        ADDRESS%5Bcity%5D=Bonn&ADDRESS%5Baddr1%5D=Example+Street+1&_mc4wp_honeypot=&_mc4wp_timestamp=1795608000&\
        _mc4wp_form_id=61&_mc4wp_form_element_id=mc4wp-form-2";

    fn form(element: u8, class: &str) -> String {
        format!("<form id=mc4wp-form-{element}><div class=mc4wp-response><div class='{class}'>x</div></div></form>")
    }

    #[test]
    fn the_posted_form_carries_the_message() {
        let success = "mc4wp-alert mc4wp-success";
        for (answer, verdict) in [
            (form(2, success), "lead"),
            (form(1, "mc4wp-alert mc4wp-error") + &form(2, success), "lead"),
            (form(1, success) + &form(2, "mc4wp-alert mc4wp-error"), "validation"),
            (form(1, success) + &form(2, ""), "unknown_outcome"),
            (form(2, "mc4wp-alert mc4wp-notice"), "validation"),
            (form(2, success) + "<p class='mc4wp-alert mc4wp-error'>", "lead"),
            (form(2, "mc4wp-success"), "unknown_outcome"),
            (format!("<p class='{success}'></p>"), "lead"),
            (format!("<p class='{success}'></p><p class='mc4wp-alert mc4wp-error'></p>"), "validation"),
            (format!("<style>.{success}</style>"), "unknown_outcome"),
        ] {
            assert_eq!(Case::post("/contact/", FIELDS).html(200, &answer).verdict(), verdict, "{answer}");
        }
        assert_eq!(Case::post("/contact/", FIELDS).html(500, &form(2, success)).verdict(), "upstream_error");
        assert_eq!(Case::post("/contact/", FIELDS).json(200, r#"{"success":true}"#).verdict(), "unknown_outcome");
    }

    #[test]
    fn a_redirect_counts_unless_it_leads_to_an_error_or_a_login() {
        for (location, verdict) in [
            ("/thanks", "lead"),
            ("https://lists.example/welcome", "lead"),
            ("/contact/", "lead"),
            ("/wp-login.php", "login"),
            ("/error", "validation"),
        ] {
            assert_eq!(Case::post("/contact/", FIELDS).redirect(302, location).verdict(), verdict, "{location}");
        }
    }

    #[test]
    fn traps_and_farewells_are_no_leads() {
        let trapped = FIELDS.replace("honeypot=", "honeypot=x");
        assert_eq!(Case::post("/contact/", trapped).redirect(302, "/thanks").verdict(), "honeypot");
        let farewell = format!("{FIELDS}&_mc4wp_action=unsubscribe");
        assert_eq!(Case::post("/contact/", farewell).redirect(302, "/thanks").verdict(), "not_a_form");
    }

    #[test]
    fn merge_tags_are_contact_data() {
        let reading = Case::post("/contact/", FIELDS).redirect(302, "/thanks").read();
        assert_eq!((reading.handler, reading.form.as_str()), ("mc4wp", "mc4wp:61"));
        for (key, value) in [
            (Key::Em, "ana.ruiz@example.com"),
            (Key::Ph, "0171 555 01234"),
            (Key::Fn, "Ana"),
            (Key::Ln, "Ruiz"),
            (Key::Ct, "Bonn"),
        ] {
            assert_eq!(contact(&reading, key), Some(value));
        }
        assert!(reading.canonical_fields.iter().all(|(name, _)| !name.starts_with('_')));
    }

    #[test]
    fn an_odd_element_id_goes_into_no_selector() {
        let odd = FIELDS.replace("mc4wp-form-2", "x%2C%2A").replace("form_id=61", "form_id=%2A");
        let case = Case::post("/contact/", odd).html(200, &form(2, "mc4wp-alert mc4wp-error"));
        assert_eq!(case.verdict(), "validation");
        assert!(case.read().form.starts_with("/contact#"));
    }
}
