//! Bodies → fields → roles, and what the site's answer means.

pub mod body;
pub mod multipart;
pub mod page;
pub mod roles;

use http::Method;

use crate::config::FormRule;
use crate::exchange::Exchange;
use crate::reason::Reason;
use body::Fields;
use page::Page;
use roles::Roles;

/// Whether the site accepted the submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A lead, if consent allows.
    Lead,
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

/// Everything that was read from one exchange.
#[derive(Debug)]
pub struct Reading {
    /// Lead or not, and why.
    pub verdict: Verdict,
    /// `cf7`, `wordpress`, `generic`, `rule`, `none`.
    pub handler: &'static str,
    /// The form's stable id within the site, e.g. `cf7:5` or `/contact`.
    pub form: String,
    /// What the site's answer said: `accepted`, `refused`, `unknown`, `not_examined`.
    pub outcome: &'static str,
    /// What in the answer decided: machine words.
    pub marker: String,
    /// Contact data and where it came from.
    pub roles: Roles,
    /// Absolute URL of the page the form was on.
    pub page_url: Option<String>,
    /// That page's own referrer, where the submission carries it.
    pub referrer_url: Option<String>,
    /// The `[[form]]` rule that matched.
    pub rule: Option<usize>,
    /// All submitted fields but the volatile ones, for the fingerprint.
    pub canonical_fields: Vec<(String, String)>,
    /// The id that came with it.
    pub supplied_event_id: Option<SuppliedEventId>,
    /// The decoded fields.
    pub fields: Fields,
}

/// Whether a request may be a form post at all: the cheap test on its head.
#[must_use]
pub fn is_form_post(_method: &Method, _target: &str, _content_type: Option<&str>) -> bool {
    false
}

/// Reads one exchange.
#[must_use]
pub fn read(_exchange: &Exchange, _rules: &[FormRule], _page: Option<&Page>) -> Reading {
    Reading {
        verdict: Verdict::NoLead(Reason::NotAForm),
        handler: "none",
        form: String::new(),
        outcome: "not_examined",
        marker: String::new(),
        roles: Roles::default(),
        page_url: None,
        referrer_url: None,
        rule: None,
        canonical_fields: Vec::new(),
        supplied_event_id: None,
        fields: Fields::default(),
    }
}
