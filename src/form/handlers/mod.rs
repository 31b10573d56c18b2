//! The form handlers: each knows the posts of one piece of software, and what its answers mean.
//!
//! A handler is one file with one [`Handler`] and one line in [`HANDLERS`]. It knows its own request, the names of its
//! own fields and the machine words of its own answers; everything that is alike for all (roles, vetoes, rules, event
//! ids) is done once, outside. Message texts are never looked at: they are in the site's language.

mod address;
mod cf7;
mod coblocks;
mod declare;
mod divi;
mod drupal;
mod elementor;
mod everest;
mod fluent;
mod formidable;
mod forminator;
mod fragment;
mod generic;
mod graphql;
mod gravity;
mod happyforms;
mod html_forms;
mod inertia;
mod jetpack;
mod joomla;
mod json;
mod kadence;
mod laravel;
mod livewire;
mod mc4wp;
mod metform;
mod next_page;
mod ninja;
mod powermail;
mod redirect;
mod spectra;
mod sureforms;
mod symfony;
mod typo3_form;
mod wordpress;
mod wpforms;

use std::borrow::Cow;

use memchr::memmem;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::answer::{Answer, NoBody};
use super::body::Fields;
use super::page::{PageForm, PageState};
use super::roles::Declared;
use super::url::Url;
use crate::exchange::RequestRecord;
use crate::reason::Reason;

/// One submission, as handlers see it.
pub(super) struct Post<'a> {
    pub request: &'a RequestRecord,
    pub fields: &'a Fields,
    /// The form on the learned page, and what that page showed.
    pub form: Option<&'a PageForm>,
    pub before: PageState,
    /// Absolute URL of the page the form was on.
    pub page_url: &'a str,
    /// By what WordPress dispatches a request: every plugin's handler asks.
    action: Option<Cow<'a, str>>,
    route: Option<Cow<'a, str>>,
}

impl<'a> Post<'a> {
    /// A submission of which only the request is known yet.
    pub(super) fn new(request: &'a RequestRecord, fields: &'a Fields, page_url: &'a str) -> Self {
        let by_path = || percent_decode_str(request.path()).decode_utf8().ok();
        Self {
            request,
            fields,
            form: None,
            before: PageState::default(),
            page_url,
            action: fields.get("action").map(Cow::Borrowed).or_else(|| in_query(request, "action")),
            route: in_query(request, "rest_route").or_else(by_path),
        }
    }

    /// WordPress's dispatch word of `admin-ajax.php` and `admin-post.php`.
    pub(super) fn action(&self) -> Option<&str> {
        self.action.as_deref()
    }

    /// A parameter of the target's query.
    pub(super) fn query(&self, name: &str) -> Option<Cow<'a, str>> {
        in_query(self.request, name)
    }

    /// The route of WordPress's REST API: `/contact-form-7/v1/…`, behind whatever prefix the site uses, or in
    /// `rest_route`.
    pub(super) fn rest_route(&self, namespace: &str) -> Option<&str> {
        let whole = self.route.as_deref()?;
        let at = memmem::find(whole.as_bytes(), namespace.as_bytes())?;
        whole.get(at..).map(|route| route.trim_end_matches('/'))
    }

    /// Whether it is a post to `admin-ajax.php` with this action.
    pub(super) fn is_ajax(&self, action: &str) -> bool {
        self.path_ends("/wp-admin/admin-ajax.php") && self.action().is_some_and(|own| own == action)
    }

    /// Whether the path ends like this: installations live in folders.
    pub(super) fn path_ends(&self, end: &str) -> bool {
        self.request.path().ends_with(end)
    }

    /// Whether a script sent it (`fetch`, `XMLHttpRequest`) and not a browser that follows a form.
    pub(super) fn is_by_script(&self) -> bool {
        let header = |name| self.request.header(name);
        let json = |value: &str| value.contains("json");
        header("x-requested-with").is_some()
            || header("content-type").is_some_and(json)
            || header("accept").is_some_and(json)
            || header("sec-fetch-mode").is_some_and(|mode| mode != "navigate")
    }

    /// The page the form was on, in its parts.
    pub(super) fn page(&self) -> Option<Url<'_>> {
        Url::absolute(self.page_url)
    }
}

fn in_query<'a>(request: &'a RequestRecord, name: &str) -> Option<Cow<'a, str>> {
    form_urlencoded::parse(request.query().as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value)
}

/// What a handler makes of a request alone.
pub(super) enum Recognised {
    /// A submission of the form with this stable id, free of personal data; `None`: named by its page.
    Form(Option<String>),
    /// A post that is never a lead, whatever the answer.
    Never(Reason),
}

/// What the answer says, with the machine words that decided.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Accepted(String),
    Refused(Reason, String),
    /// Nothing in it says whether the site accepted it.
    Unknown(String),
    /// It says nothing, and the page that it redirects to will: [`Handler::follow_up`].
    Later(String),
    /// The answer, or what of it matters, could not be looked at.
    Unseen(Reason, String),
}

impl Outcome {
    pub(super) fn accepted(marker: impl Into<String>) -> Self {
        Self::Accepted(marker.into())
    }

    pub(super) fn refused(reason: Reason, marker: impl Into<String>) -> Self {
        Self::Refused(reason, marker.into())
    }

    pub(super) fn unknown(marker: impl Into<String>) -> Self {
        Self::Unknown(marker.into())
    }

    pub(super) fn later(marker: impl Into<String>) -> Self {
        Self::Later(marker.into())
    }

    /// Why an answer without a readable body says nothing.
    pub(super) fn without_body(why: NoBody) -> Self {
        match why {
            NoBody::OverCap => Self::unknown("answer_over_cap"),
            NoBody::Unreadable => Self::unknown("answer_not_decodable"),
            NoBody::OverBudget => Self::Unseen(Reason::OverBudget, "answer_over_budget".into()),
            NoBody::Aborted => Self::Unseen(Reason::Aborted, "answer_aborted".into()),
        }
    }

    /// What a status says that no handler has a meaning of its own for: RFC 4918's 422 is what frameworks answer to
    /// invalid fields, any other 4xx or 5xx is a failure.
    pub(super) fn of_status(answer: &Answer<'_>) -> Option<Self> {
        let status = answer.status();
        let reason = match status.as_u16() {
            422 => Reason::Validation,
            400.. => Reason::UpstreamError,
            _ => return None,
        };
        Some(Self::refused(reason, format!("status:{}", status.as_u16())))
    }

    /// What is to be said of an answer that has no body to read: a failure, a redirect that means nothing here, a body
    /// that is not whole.
    pub(super) fn before_body(answer: &Answer<'_>) -> Option<Self> {
        let status = answer.status();
        Self::of_status(answer)
            .or_else(|| (!status.is_success()).then(|| Self::unknown(format!("status:{}", status.as_u16()))))
            .or_else(|| answer.body().err().map(Self::without_body))
    }
}

/// The knowledge of one form software.
pub(super) trait Handler: Sync {
    /// The word for it in reports.
    fn name(&self) -> &'static str;

    /// Whether the request is one of its posts.
    fn recognise(&self, post: &Post<'_>) -> Option<Recognised>;

    /// The fields, where they are packed in another field. Default: as decoded.
    fn fields(&self, _post: &Post<'_>) -> Option<Fields> {
        None
    }

    /// Roles that the request or the answer declares.
    fn roles(&self, _post: &Post<'_>, _answer: Option<&Answer<'_>>) -> Vec<Declared> {
        Vec::new()
    }

    /// What the answer says.
    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome;

    /// The id that the software gave this very submission: unique per submission, not namespaced.
    fn submission_id(&self, _post: &Post<'_>, _answer: &Answer<'_>) -> Option<String> {
        None
    }

    /// The page the form was on, where the fields say it.
    fn page_url(&self, _post: &Post<'_>) -> Option<String> {
        None
    }

    /// Whether a field is the software's own: no contact data, no part of the fingerprint.
    fn is_own_field(&self, _name: &str) -> bool {
        false
    }

    /// Whether a field that was filled in is a trap which only this software sets, by its name or by the page.
    fn is_trap(&self, _post: &Post<'_>, _name: &str) -> bool {
        false
    }

    /// Whether anything may be posted this way and not only what visitors write to the site: then a submission without an
    /// address or a number is not looked at further.
    fn takes_anything(&self, _post: &Post<'_>) -> bool {
        false
    }

    /// What the page says that an [`Outcome::Later`] redirected to.
    fn follow_up(&self, _expected: &Expected, _page: &Answer<'_>) -> Outcome {
        Outcome::unknown("follow_up_not_understood")
    }
}

/// What is kept of a submission until the page that tells its outcome goes by. It holds no contact data.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The handler that asked for it.
    pub(super) handler: &'static str,
    /// The learned form, and what its page showed.
    pub(super) form: Option<PageForm>,
    pub(super) before: PageState,
    /// Absolute URL of the page that is expected.
    pub url: String,
}

/// The handler whose post it is; the generic rule where there is none.
pub(super) fn recognise(post: &Post<'_>) -> (&'static dyn Handler, Recognised) {
    let ajax = [&wordpress::AdminAjax as &dyn Handler];
    let mut known = HANDLERS.iter().copied().chain(ajax).chain(FRAMEWORKS.iter().copied());
    known
        .find_map(|handler| Some((handler, handler.recognise(post)?)))
        .unwrap_or_else(|| (&generic::Generic, generic::recognise(post)))
}

/// The handler with that name.
pub(super) fn by_name(name: &str) -> Option<&'static dyn Handler> {
    let all = HANDLERS.iter().chain(FRAMEWORKS).copied();
    all.chain([&generic::Generic as &dyn Handler]).find(|handler| handler.name() == name)
}

/// What the address of a page says whatever the software: a login, an error.
pub(super) fn refusal_of_url(url: &str) -> Option<Outcome> {
    redirect::refusal_of(&Url::absolute(url)?)
}

/// Known software; the first that recognises a post has it.
static HANDLERS: &[&dyn Handler] = &[
    &wordpress::WordPress,
    &cf7::ContactForm7,
    &fluent::FluentForms,
    &formidable::Formidable,
    &ninja::NinjaForms,
    &wpforms::WpForms,
    &gravity::Gravity,
    &elementor::Elementor,
    &forminator::Forminator,
    &everest::Everest,
    &happyforms::HappyForms,
    &sureforms::SureForms,
    &jetpack::Jetpack,
    &metform::MetForm,
    &kadence::Kadence,
    &mc4wp::Mc4wp,
    &divi::Divi,
    &spectra::Spectra,
    &coblocks::CoBlocks,
    &html_forms::HtmlForms,
    &drupal::Drupal,
    &joomla::Joomla,
    &powermail::Powermail,
    &typo3_form::FormFramework,
];

/// What applications are built with. They come last: some are known by a cookie of the whole site, beside which other
/// software may live.
static FRAMEWORKS: &[&dyn Handler] =
    &[&livewire::Livewire, &inertia::Inertia, &laravel::Laravel, &symfony::Symfony, &graphql::GraphQl];

/// A form's stable id from the id that its software gave it; `None` for anything that is no such id.
fn form_id(handler: &str, id: &str) -> Option<String> {
    let plain =
        (1..=40).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    plain.then(|| format!("{handler}:{id}"))
}

/// Whether a text is a number as ids are: nothing else may go into a selector or be told apart as one.
fn is_number(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// An id as JSON has it: a number above 0, or a word.
fn json_id(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Number(number) => number.as_u64().filter(|id| *id > 0).map(|id| id.to_string()),
        Value::String(id) => Some(id.trim()).filter(|id| !matches!(*id, "" | "0")).map(str::to_owned),
        _ => None,
    }
}

/// WordPress's `wp_send_json_success` and `wp_send_json_error`: whether it went well, and `data`.
fn wp_json<'a>(answer: &'a Answer<'_>) -> Option<(bool, &'a Value)> {
    let json = answer.json()?;
    Some((json.get("success")?.as_bool()?, json.get("data").unwrap_or(&Value::Null)))
}

/// Whether anything is there: `null`, `false`, `""`, `[]` and `{}` are PHP's ways to say nothing.
fn is_filled(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(members)) => !members.is_empty(),
        Some(_) => true,
    }
}

/// A short machine word from an answer, fit for a log line; anything else is `?`.
fn machine_word(text: &str) -> &str {
    let is_word = text.len() <= 40 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if is_word { text } else { "?" }
}

#[cfg(test)]
mod tests;
