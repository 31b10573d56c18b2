//! Bodies → fields → roles, and what the site's answer means.
//!
//! [`read`] goes through one exchange in fixed steps: decode the body; find the operator's rule and the handler whose
//! post it is; read the contact data; look for a veto; ask the answer. Each step is a file, each handler one more.

mod answer;
pub mod body;
mod content_coding;
mod event_id;
mod flash;
mod follow_up;
mod handlers;
mod html;
mod json;
pub mod multipart;
mod names;
mod packed;
pub mod page;
mod phone;
pub mod roles;
mod rule;
mod submitted;
mod tokens;
mod url;
mod urlencoded;
mod veto;
mod volatile;
mod words;

use std::fmt;
use std::sync::Arc;

use http::Method;
use sha2::{Digest, Sha256};

use crate::config::FormRule;
use crate::exchange::{Captured, Exchange};
use crate::reason::Reason;
use answer::Answer;
use body::{BodyType, Fields};
pub use follow_up::{FollowUp, follow_up};
pub use handlers::Expected;
use handlers::{Outcome, Post, Recognised};
use page::KnownPages;
use roles::{Declared, Known, Roles};
use submitted::Submitted;

/// Whether the site accepted the submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A lead, if consent allows.
    Lead,
    /// The page that the answer redirects to will tell: [`Reading::expected`], [`follow_up`].
    Later,
    /// Not one.
    NoLead(Reason),
}

/// An `event_id` that came with the submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuppliedEventId {
    /// The id, ready to send (handler ids are namespaced).
    pub id: String,
    /// `field`, `header` or `handler`.
    pub source: &'static str,
}

/// Everything that was read from one exchange. It holds contact data: `Debug` shows none of it.
pub struct Reading {
    /// Lead or not, and why.
    pub verdict: Verdict,
    /// `cf7`, `wordpress`, `generic`, `rule`, `none`; the plugin's name where it is known and not yet understood.
    pub handler: &'static str,
    /// The form's stable id within the site, e.g. `cf7:5` or `/contact#form_id`.
    pub form: String,
    /// What the site's answer said: `accepted`, `refused`, `later`, `unknown`, `not_examined`.
    pub outcome: &'static str,
    /// What in the answer decided: machine words.
    pub marker: String,
    /// What to keep until the page goes by that tells the outcome.
    pub expected: Option<Expected>,
    /// Contact data and where it came from.
    pub roles: Roles,
    /// Absolute URL of the page the form was on.
    pub page_url: Option<String>,
    /// That page's own referrer, where the submission carries it.
    pub referrer_url: Option<String>,
    /// The form is known from its page.
    pub form_is_known: bool,
    /// The page had a form that is not known, or not with all of these fields: it should be learned again.
    pub unlearned_page: bool,
    /// The `[[form]]` rule that matched.
    pub rule: Option<usize>,
    /// All submitted fields but the volatile ones, for the fingerprint.
    pub canonical_fields: Vec<(String, String)>,
    /// The id that came with it.
    pub supplied_event_id: Option<SuppliedEventId>,
    /// The decoded fields.
    pub fields: Arc<Fields>,
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading")
            .field("verdict", &self.verdict)
            .field("handler", &self.handler)
            .field("form", &self.form)
            .field("outcome", &self.outcome)
            .field("marker", &self.marker)
            .field("roles", &self.roles)
            .field("rule", &self.rule)
            .field("canonical_fields", &self.canonical_fields.len())
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

impl Reading {
    fn not_examined(reason: Reason) -> Self {
        Self {
            verdict: Verdict::NoLead(reason),
            handler: "none",
            form: String::new(),
            outcome: "not_examined",
            marker: String::new(),
            expected: None,
            roles: Roles::default(),
            page_url: None,
            referrer_url: None,
            form_is_known: false,
            unlearned_page: false,
            rule: None,
            canonical_fields: Vec::new(),
            supplied_event_id: None,
            fields: Arc::default(),
        }
    }

    fn conclude(&mut self, outcome: Outcome) {
        (self.verdict, self.outcome, self.marker) = Self::conclusion(outcome);
    }

    fn conclusion(outcome: Outcome) -> (Verdict, &'static str, String) {
        match outcome {
            Outcome::Accepted(marker) => (Verdict::Lead, "accepted", marker),
            Outcome::Refused(reason, marker) => (Verdict::NoLead(reason), "refused", marker),
            Outcome::Later(marker) => (Verdict::Later, "later", marker),
            Outcome::Unknown(marker) => (Verdict::NoLead(Reason::UnknownOutcome), "unknown", marker),
            Outcome::Unseen(reason, marker) => (Verdict::NoLead(reason), "unknown", marker),
        }
    }
}

/// Endpoints of WordPress that take no forms: RPC, cron, and the screens of its administration.
fn is_machine_endpoint(path: &str) -> bool {
    path.ends_with("/xmlrpc.php")
        || path.ends_with("/wp-cron.php")
        || path.contains("/wp-json/wp/v2/")
        || path.contains("/wp-json/batch/v1")
        || path.split_once("/wp-admin/").is_some_and(|(_, page)| !matches!(page, "admin-ajax.php" | "admin-post.php"))
}

/// Whether a request may be a form post at all: the cheap test on its head.
#[must_use]
pub fn is_form_post(method: &Method, target: &str, content_type: Option<&str>) -> bool {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    method == Method::POST && content_type.and_then(BodyType::of).is_some() && !is_machine_endpoint(path)
}

/// Reads one exchange.
#[must_use]
pub fn read(exchange: &Exchange, rules: &[FormRule], pages: &dyn KnownPages) -> Reading {
    let mut reading = Reading::not_examined(Reason::NotAForm);
    if let Err(reason) = examine(&mut reading, exchange, rules, pages) {
        reading.verdict = Verdict::NoLead(reason);
    }
    reading
}

/// Fills the reading step by step; an error is the reason why the site's answer was not asked.
fn examine(
    reading: &mut Reading,
    exchange: &Exchange,
    rules: &[FormRule],
    pages: &dyn KnownPages,
) -> Result<(), Reason> {
    let request = &exchange.request;
    let referer = request.header("referer").and_then(|referer| url::on_this_site(referer, request));
    let page_url = referer.unwrap_or_else(|| url::own(request));
    reading.page_url = Some(page_url.clone());
    let content_type = request.header("content-type");
    if !is_form_post(&request.method, &request.target, content_type) {
        return Err(Reason::NotAForm);
    }
    let answer = exchange.response.as_ref().map(Answer::new);
    let wire_fields = match &request.body {
        Captured::Whole(body) => {
            let encoding = answer.as_ref().and_then(Answer::encoding).or_else(|| pages.encoding_of(&page_url));
            body::decode(content_type.unwrap_or_default(), body, encoding)
        }
        Captured::OverCap | Captured::OverBudget => return Err(Reason::OverBudget),
        Captured::Aborted => return Err(Reason::Aborted),
    };
    let rule_for = |reading: &mut Reading, handler: &str, page_url: &str| {
        reading.rule = rule::find(rules, request, handler, page_url);
        let rule = reading.rule.and_then(|index| rules.get(index));
        if rule.is_some_and(|rule| rule.ignore) {
            reading.handler = "rule";
            return Err(Reason::IgnoredByRule);
        }
        Ok(rule)
    };
    let Ok(wire_fields) = wire_fields else {
        rule_for(reading, "none", &page_url)?;
        return Err(Reason::Malformed);
    };
    let wire_fields = Arc::new(wire_fields);
    reading.fields = Arc::clone(&wire_fields);

    let mut post = Post::new(request, &wire_fields, &page_url);
    let (handler, recognised) = handlers::recognise(&post);
    reading.handler = handler.name();
    let named_page = handler.page_url(&post).and_then(|url| url::on_this_site(&url, request));
    if let Some(url) = &named_page {
        post.page_url = url;
        reading.page_url = Some(url.clone());
    }
    let rule = rule_for(reading, handler.name(), post.page_url)?;
    let form_id = match recognised {
        Recognised::Form(id) => id,
        Recognised::Never(reason) => return Err(reason),
    };
    if let Some(fields) = handler.fields(&post).or_else(|| packed::unpack(&wire_fields)) {
        reading.fields = Arc::new(fields);
    }
    let fields = Arc::clone(&reading.fields);
    let submitted = Submitted::all(&fields);
    if let Some(known) = pages.form_of(post.page_url, &reading.fields) {
        post.form = Some(known.form);
        post.before = known.page.state();
    }
    reading.referrer_url = referrer_of_page(&reading.fields, post.page_url);
    let is_own = |submitted: &Submitted<'_>| handler.is_own_field(submitted.name());
    let kept = submitted.iter().filter(|one| !one.is_volatile && !one.secrets.any() && !is_own(one));
    reading.canonical_fields = kept.map(|one| (one.name().to_owned(), one.field.value.clone())).collect();
    reading.form_is_known = post.form.is_some();
    let on_page = |name: &str| post.form.is_some_and(|form| form.field(name).is_some());
    reading.unlearned_page = !reading.canonical_fields.iter().all(|(name, _)| on_page(name));
    reading.form = form_id.unwrap_or_else(|| form_of_page(post.page_url, &fields, &reading.canonical_fields));

    let mut declared = handler.roles(&post, answer.as_ref());
    declared.extend(submitted.iter().filter(|one| is_own(one)).map(|own| Declared::not_contact(own.name())));
    let map = rule.map_or(&[][..], |rule| &rule.fields);
    reading.roles = roles::read(&submitted, Known { rule: map, declared: &declared, page: post.form });
    if submitted.iter().any(|one| handler.is_trap(&post, one.name()) && one.is_filled()) {
        return Err(Reason::Honeypot);
    }
    if let Some(reason) = veto::check(request, &submitted, post.form) {
        return Err(reason);
    }

    let success = rule.and_then(|rule| rule.success.as_ref()).filter(|success| rule::is_set(success));
    if success.is_some() {
        reading.handler = "rule";
    }
    // Anything may be POSTed to a site: without an address or a number only known form software is looked at further.
    let takes_anything = reading.handler == "rule" || handler.takes_anything(&post);
    if takes_anything && !reading.roles.contact.is_reachable() {
        return Err(Reason::NoContact);
    }
    reading.conclude(match (&answer, success) {
        (None, _) => Outcome::refused(Reason::UpstreamError, "no_answer"),
        (Some(answer), Some(success)) => rule::outcome(success, request, answer),
        (Some(answer), None) => handler.outcome(&post, answer),
    });
    if reading.verdict == Verdict::Later {
        reading.expected = answer.as_ref().and_then(|answer| follow_up::expect(&post, handler.name(), answer));
        if reading.expected.is_none() {
            return Err(Reason::UnknownOutcome);
        }
    }
    reading.supplied_event_id = event_id::of_page(request, &reading.fields, answer.as_ref()).or_else(|| {
        let id = handler.submission_id(&post, answer.as_ref()?)?;
        event_id::of_handler(handler.name(), request.host_name(), &reading.form, &id)
    });
    Ok(())
}

/// Hidden fields in which forms keep where the visitor came from before the page (WPForms, Forminator and hand-made ones).
const REFERRER_FIELDS: &[&str] = &[
    "referrer_url",
    "referer_url",
    "url_referer",
    "url_referrer",
    "http_referer",
    "http_referrer",
    "referrer",
    "referer",
];
/// Longest referrer taken from a field.
const MAX_REFERRER: usize = 2000;

/// The page's own referrer, where the form carries it: the submission's `Referer` is the page itself. Some software puts
/// the page's address into a field of that name, which says nothing new.
fn referrer_of_page(fields: &Fields, page_url: &str) -> Option<String> {
    let is_url = |text: &&str| {
        text.len() <= MAX_REFERRER && text.bytes().all(|b| b.is_ascii_graphic()) && url::Url::absolute(text).is_some()
    };
    REFERRER_FIELDS
        .iter()
        .find_map(|name| fields.get(name).map(str::trim).filter(is_url))
        .filter(|referrer| *referrer != page_url)
        .map(str::to_owned)
}

/// Fields by which software names its forms.
const FORM_ID_FIELDS: &[&str] = &["form_id", "form-id", "formid", "form_name", "form-name", "_form", "webform_id"];
/// Longest form id taken from a field.
const MAX_FORM_ID: usize = 64;

/// The id of a form that no handler names: the page's path, and the form's own id or a hash of its field names.
fn form_of_page(page_url: &str, fields: &Fields, canonical: &[(String, String)]) -> String {
    let path = url::Url::absolute(page_url).map_or_else(|| "/".to_owned(), |url| url.path.into_owned());
    let plain = |id: &&str| {
        (1..=MAX_FORM_ID).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':'))
    };
    let own = FORM_ID_FIELDS.iter().find_map(|name| fields.get(name).filter(plain));
    let id = own.map_or_else(
        || {
            let mut names: Vec<_> = canonical.iter().map(|(name, _)| name.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            hex::encode(Sha256::digest(names.join("\n")).get(..4).unwrap_or_default())
        },
        str::to_owned,
    );
    format!("{path}#{id}")
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
