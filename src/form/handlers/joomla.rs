//! Joomla's com_contact. It redirects with 303 whether it sent the mail or not; the message on the next page differs.

use serde_json::Value;

use super::next_page;
use super::{Expected, Handler, Outcome, Post, Recognised, address, form_id, redirect};
use crate::form::answer::Answer;
use crate::form::html;
use crate::reason::Reason;

pub(super) struct Joomla;

impl Handler for Joomla {
    fn name(&self) -> &'static str {
        "joomla"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        let field = |name| post.fields.get(name).map(str::to_owned).or_else(|| Some(post.query(name)?.into_owned()));
        let option = field("option")?;
        if let Some(reason) = address::of_target(post) {
            return Some(Recognised::Never(reason));
        }
        match (option.as_str(), field("task")?.as_str()) {
            ("com_contact", "contact.submit") => {
                // `8:ana-ruiz`: the alias may be anybody's name.
                let id = field("id").unwrap_or_default();
                let number = id.split(':').next().filter(|id| id.bytes().all(|b| b.is_ascii_digit()));
                Some(Recognised::Form(number.and_then(|number| form_id("joomla", number))))
            }
            ("com_users", _) => Some(Recognised::Never(Reason::Login)),
            ("com_finder" | "com_search", _) => Some(Recognised::Never(Reason::Search)),
            _ => None,
        }
    }

    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if let Some(failure) = Outcome::of_status(answer) {
            return failure;
        }
        let Some(location) = answer.header("location").filter(|_| answer.is_redirect()) else {
            return Outcome::unknown("no_redirect");
        };
        let said = redirect::target(post, location).refusal();
        said.unwrap_or_else(|| Outcome::later("message_on_next_page"))
    }

    fn is_own_field(&self, name: &str) -> bool {
        matches!(name, "option" | "task" | "return" | "id" | "catid" | "view" | "layout" | "Itemid" | "jform[captcha]")
    }

    fn follow_up(&self, _expected: &Expected, page: &Answer<'_>) -> Outcome {
        let body = match next_page::body(page) {
            Ok(body) => body,
            Err(said) => return said,
        };
        match Messages::of(body) {
            Messages { refused: true, .. } => Outcome::refused(Reason::Validation, "message:danger"),
            Messages { accepted: true, .. } => Outcome::accepted("message:success"),
            // Nothing: also where the mail failed and the administrator left the thanks empty.
            Messages { .. } => Outcome::unknown("no_message"),
        }
    }
}

/// The kinds of messages that the page shows. Joomla 4 and later hand them to a script and repeat them in a `noscript`;
/// Joomla 3 prints them.
#[derive(Clone, Copy, Default)]
struct Messages {
    accepted: bool,
    refused: bool,
}

/// Where the options of a page's scripts list its messages: `"joomla.messages":[{"success":["…"]}]`.
const OPTION: &[u8] = b"\"joomla.messages\":";

impl Messages {
    fn of(page: &[u8]) -> Self {
        let mut found = Self::default();
        found.look_at(page, "#system-message-container ");
        if let Some(noscript) = html::text(page, "#system-message-container noscript") {
            found.look_at(noscript.as_bytes(), "");
        }
        let at = memchr::memmem::find(page, OPTION).map(|at| at + OPTION.len());
        let listed = at.and_then(|at| {
            let mut values = serde_json::Deserializer::from_slice(page.get(at..)?).into_iter::<Value>();
            values.next()?.ok()
        });
        let kinds = listed.as_ref().and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
        for kind in kinds.flat_map(serde_json::Map::keys) {
            found.take(kind);
        }
        found
    }

    fn look_at(&mut self, html: &[u8], inside: &str) {
        let mut kinds = Vec::new();
        html::first(html, &format!("{inside}joomla-alert, {inside}.alert"), |alert| {
            let class = alert.get_attribute("class").unwrap_or_default();
            kinds.extend(alert.get_attribute("type"));
            kinds.extend(
                class.split_ascii_whitespace().filter_map(|class| class.strip_prefix("alert-")).map(str::to_owned),
            );
            None::<()>
        });
        for kind in kinds {
            self.take(&kind);
        }
    }

    fn take(&mut self, kind: &str) {
        match kind {
            "success" | "message" => self.accepted = true,
            "danger" | "error" | "warning" => self.refused = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::testing::{Case, contact, expected};
    use crate::lead::contact::Key;

    const BODY: &str = "jform%5Bcontact_name%5D=Ana+Ruiz&jform%5Bcontact_email%5D=ana.ruiz%40example.com&\
        jform%5Bcontact_subject%5D=Hello&jform%5Bcontact_message%5D=Hi&jform%5Bcom_fields%5D%5Bphone%5D=0171+555+01234&\
        option=com_contact&task=contact.submit&return=&id=8%3Aana-ruiz&0123456789abcdef0123456789abcdef=1";

    #[test]
    fn the_redirect_says_nothing_by_itself() {
        let case = |status, to| Case::post("/contact", BODY).redirect(status, to).read();
        for to in ["/contact", "/thanks", "/index.php?option=com_contact&view=contact&id=8"] {
            let reading = case(303, to);
            assert_eq!((reading.outcome, reading.marker.as_str()), ("later", "message_on_next_page"), "{to}");
        }
        assert_eq!(Case::post("/contact", BODY).redirect(303, "/login").verdict(), "login");
        let office = BODY.replace("contact.submit", "contact.save");
        let office = Case::post("/administrator/index.php", office).redirect(303, "/administrator");
        assert_eq!(office.header("referer", "https://shop.example/administrator/").verdict(), "editor");
        assert_eq!(Case::post("/contact", BODY).html(200, "<p>x</p>").verdict(), "unknown_outcome");
        assert_eq!(Case::post("/contact", BODY).html(403, "").verdict(), "upstream_error");
    }

    #[test]
    fn the_message_on_the_next_page_decides() {
        let page =
            |inside: &str| format!("<div id='system-message-container'>{inside}</div><p class='alert-success'>ad</p>");
        let option = |kinds: &str| {
            format!(r#"<script class="joomla-script-options new">{{"csrf":"x","joomla.messages":[{kinds}]}}</script>"#)
        };
        for (html, word) in [
            (page("<joomla-alert type='success'>x</joomla-alert>"), "accepted"),
            (page("<joomla-alert type='danger'>x</joomla-alert>"), "refused"),
            (page("<joomla-alert type='warning'>x</joomla-alert>"), "refused"),
            (page("<joomla-alert type=success>x</joomla-alert><joomla-alert type=warning>y</joomla-alert>"), "refused"),
            (page("<noscript><div class=\"alert alert-success\">x</div></noscript>"), "accepted"),
            (page("<noscript><div class=\"alert alert-danger\">x</div></noscript>"), "refused"),
            (page("<div id='system-message'><div class='alert alert-success'>x</div></div>"), "accepted"),
            (page("<div id='system-message'><div class='alert alert-error'>x</div></div>"), "refused"),
            (option(r#"{"success":["x"]}"#), "accepted"),
            (option(r#"{"success":["x"]},{"danger":["y"]}"#), "refused"),
            (option(r#"{"info":["x"]}"#), "unknown"),
            (option(r#"{"success":["x"]"#), "unknown"),
            (page(""), "unknown"),
            ("<p>x</p>".into(), "unknown"),
        ] {
            let exchange = Case::post("/contact", "").html(200, &html).exchange();
            let record = exchange.response.unwrap();
            let outcome = Joomla.follow_up(&expected("joomla", None), &Answer::new(&record));
            assert_eq!(crate::form::testing::word(&outcome), word, "{html}");
        }
        let record =
            Case::post("/contact", "").html(500, &page("<joomla-alert type=success>")).exchange().response.unwrap();
        assert!(matches!(Joomla.follow_up(&expected("joomla", None), &Answer::new(&record)), Outcome::Unknown(_)));
    }

    #[test]
    fn a_contact_is_named_by_its_number_and_its_fields_are_read() {
        let reading = Case::post("/contact", BODY).redirect(303, "/contact").read();
        assert_eq!((reading.handler, reading.form.as_str()), ("joomla", "joomla:8"));
        assert_eq!(contact(&reading, Key::Em), Some("ana.ruiz@example.com"));
        assert_eq!(contact(&reading, Key::Ph), Some("0171 555 01234"));
        assert_eq!(contact(&reading, Key::Fn), Some("Ana"));
        assert!(reading.canonical_fields.iter().all(|(name, _)| name.starts_with("jform[")));
    }

    #[test]
    fn accounts_and_searches_are_no_contact() {
        let verdict = |body: &str| Case::post("/index.php", body).redirect(303, "/thanks").verdict();
        assert_eq!(verdict("option=com_users&task=reset.request&jform%5Bemail%5D=ana%40example.com"), "login");
        assert_eq!(verdict("option=com_users&task=remind.remind&jform%5Bemail%5D=ana%40example.com"), "login");
        assert_eq!(verdict("option=com_search&task=search&searchword=ana%40example.com"), "search");
        assert_eq!(verdict("option=com_acme&task=quote&email=ana%40example.com"), "lead");
    }
}
