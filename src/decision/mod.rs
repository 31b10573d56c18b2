//! One exchange → one decision with one reason. Pure: `run` and `explain` call the same function, so they cannot
//! disagree.

pub mod browser;
mod custom_data;
mod visitor_event;

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::config::{ConsentConfig, FormRule};
use crate::consent::{self, Consent, Ruling, Signals, State};
use crate::exchange::{Exchange, RequestRecord, UnixMillis, cookies};
use crate::form::page::KnownPages;
use crate::form::roles::RoleSource;
use crate::form::{self, FollowUp, Reading, Verdict};
use crate::landing::OtherClickId;
use crate::lead::contact::Key;
use crate::lead::event::{self, Ldu};
use crate::lead::event_id::{self, IdSecret};
use crate::lead::normalize::Country;
use crate::outbox::{SuppliedId, Tie};
use crate::reason::{DecisionKind, Reason};
use crate::visitor;
use visitor_event::Made;

/// What a decision depends on besides the exchange.
pub struct Policy<'a> {
    /// `[[form]]`.
    pub forms: &'a [FormRule],
    /// `[consent]`.
    pub consent: &'a ConsentConfig,
    /// Click ids of other networks that are shown with a lead.
    pub click_ids: &'a [&'static OtherClickId],
    /// Networks of the operator's own people.
    pub internal_addresses: &'a [IpNet],
    /// `default_country`.
    pub default_country: Option<Country>,
    /// The key of fingerprints.
    pub secret: &'a IdSecret,
    /// The key of fingerprints of denied submissions: random, and gone with the process, so that nothing derived from
    /// contact data of a denied submission outlives it.
    pub volatile_secret: &'a IdSecret,
}

/// The decision, with every step that led to it.
#[derive(Debug)]
pub struct Decision {
    /// What.
    pub kind: DecisionKind,
    /// Why.
    pub reason: Reason,
    /// The handler that recognised the form.
    pub handler: &'static str,
    /// The form's stable id.
    pub form: String,
    /// Absolute URL of the page the form was on.
    pub page_url: Option<String>,
    /// That form is known from its page.
    pub form_is_known: bool,
    /// What the site's answer said: `accepted`, `refused`, `later`, `unknown`, `not_examined`.
    pub outcome: &'static str,
    /// What in the answer decided: machine words.
    pub marker: String,
    /// Which field was read as what, and by which source.
    pub roles: Vec<RoleSource>,
    /// What looked like something and was not sure enough to be sent.
    pub doubtful: Vec<RoleSource>,
    /// The consent that was read; `None` when it did not come to that.
    pub consent: Option<Consent>,
    /// Where the event id comes from: `field`, `header`, `handler`, `fingerprint`, `random`.
    pub event_id_source: Option<&'static str>,
    /// Contact values that could not be used: key and reason, never the value.
    pub unusable: Vec<(Key, &'static str)>,
    /// Click ids of other networks that the visitor came with, where that is consented.
    pub click_ids: Vec<(&'static str, String)>,
    /// The site's answer does not tell, the page after it will: nothing is to be stored before [`follow_up`] says so.
    pub expected: Option<form::Expected>,
    /// The page the form was on, if it should be learned again.
    pub unlearned_page: Option<String>,
    /// What is to be stored and sent.
    pub submission: Option<Submission>,
    /// It is not to be sent before the visitor has chosen.
    pub hold: Option<HoldPlan>,
}

/// How a submission waits for the visitor's choice.
#[derive(Clone, Debug)]
pub struct HoldPlan {
    /// Whose choice: a keyed hash of the session.
    pub browser: [u8; 32],
    /// What is sent if it is not a yes; `None`: nothing.
    pub bare: Option<Arc<str>>,
    /// How long.
    pub patience: Duration,
}

/// What the outbox needs of an accepted submission.
#[derive(Clone, Debug)]
pub struct Submission {
    /// HMAC over site, form and fields.
    pub fingerprint: [u8; 32],
    /// The id that came with it.
    pub supplied: Option<SuppliedId>,
    /// The id otherwise.
    pub fallback_event_id: String,
    /// Meta's event name.
    pub event_name: String,
    /// When the button was pressed.
    pub event_time: UnixMillis,
    /// The event without its id.
    pub body: Arc<str>,
    /// Sent alone, and expected to be refused.
    pub event_only: bool,
    /// Meta's names of what it carries of the visitor.
    pub match_keys: Vec<&'static str>,
    /// By what its browser is found again.
    pub ties: Vec<Tie>,
}

impl Submission {
    /// The id under which it goes out if nothing is known of it yet.
    #[must_use]
    pub fn event_id(&self) -> &str {
        self.supplied.as_ref().map_or(&self.fallback_event_id, |supplied| &supplied.id)
    }
}

impl Decision {
    /// It is no lead after all: nothing of it is stored.
    pub fn refuse(&mut self, reason: Reason) {
        self.kind = DecisionKind::NoLead;
        self.reason = reason;
        self.expected = None;
        self.event_id_source = None;
        self.submission = None;
        self.hold = None;
    }

    fn no(kind: DecisionKind, reason: Reason, reading: &Reading) -> Self {
        Self {
            kind,
            reason,
            handler: reading.handler,
            form: reading.form.clone(),
            page_url: reading.page_url.clone(),
            form_is_known: reading.form_is_known,
            outcome: reading.outcome,
            marker: reading.marker.clone(),
            roles: reading.roles.sources.clone(),
            doubtful: reading.roles.doubtful.clone(),
            consent: None,
            event_id_source: None,
            unusable: Vec::new(),
            click_ids: Vec::new(),
            expected: None,
            unlearned_page: reading.page_url.clone().filter(|_| reading.unlearned_page),
            submission: None,
            hold: None,
        }
    }
}

/// Decides on one exchange. `random_id` is used only for an event that must not be traceable to its contact data;
/// `now` bounds the event's time, whatever the clock did since the request.
#[must_use]
pub fn decide(
    exchange: &Exchange,
    pages: &dyn KnownPages,
    policy: &Policy<'_>,
    random_id: String,
    now: UnixMillis,
) -> Decision {
    let reading = form::read(exchange, policy.forms, pages);
    if let Verdict::NoLead(reason) = reading.verdict {
        let kind = match reason {
            Reason::OverBudget => DecisionKind::Skipped,
            _ => DecisionKind::NoLead,
        };
        return Decision::no(kind, reason, &reading);
    }
    let request = &exchange.request;
    if let Some(reason) = no_visitor(request, policy.internal_addresses) {
        return Decision::no(DecisionKind::NoLead, reason, &reading);
    }
    let submitted = reading.fields.list.iter().map(|field| (field.name.as_str(), field.value.as_str()));
    let consent = consent::read(&Signals::of(request).with_fields(submitted), policy.consent);
    let here = policy.consent.policy(request.host_name());
    let ruling = consent::rule(&consent, here.unknown, here.denied);
    let answer = exchange.response.as_ref().map(|answer| &answer.headers);
    let hold =
        here.hold.filter(|_| consent.state == State::Unknown && ruling != Ruling::Granted).and_then(|patience| {
            let browser = browser::of(policy.secret, policy.consent, request, answer)?;
            Some(HoldPlan { browser, bare: None, patience })
        });
    let mut decision = Decision::no(DecisionKind::Lead, Reason::Accepted, &reading);
    decision.expected.clone_from(&reading.expected);
    decision.consent = Some(consent);
    let time = request.received.min(now);
    let rule = reading.rule.and_then(|index| policy.forms.get(index));
    let event_name = rule.and_then(|rule| rule.event_name.clone()).unwrap_or_else(|| "Lead".to_owned());
    let page_url = reading.page_url.clone().unwrap_or_else(|| own_url(request));
    let fingerprint =
        |secret| event_id::fingerprint(secret, request.host_name(), &reading.form, &reading.canonical_fields);

    let bare = || -> Arc<str> { event::event_only_json(&event_name, time, &event::without_query(&page_url)).into() };
    let (ldu, reason) = match ruling {
        Ruling::Granted => (None, Reason::Accepted),
        Ruling::Drop(_) | Ruling::EventOnly(_) if hold.is_some() => {
            let bare = matches!(ruling, Ruling::EventOnly(_)).then(bare);
            decision.hold = hold.map(|hold| HoldPlan { bare, ..hold });
            (None, Reason::ConsentHeld)
        }
        Ruling::Ldu(reason, state) => (Some(Ldu::in_state(state.0)), reason),
        Ruling::Drop(reason) => {
            decision.kind = DecisionKind::Denied;
            decision.reason = reason;
            return decision;
        }
        Ruling::EventOnly(reason) => {
            decision.kind = DecisionKind::Denied;
            decision.reason = reason;
            decision.event_id_source = Some("random");
            decision.submission = Some(Submission {
                fingerprint: fingerprint(policy.volatile_secret),
                supplied: None,
                fallback_event_id: random_id,
                body: bare(),
                event_name,
                event_time: time,
                event_only: true,
                match_keys: Vec::new(),
                ties: Vec::new(),
            });
            return decision;
        }
    };
    if reason == Reason::Accepted {
        let kept =
            |id: &&'static OtherClickId| Some((id.parameter, id.in_cookies(cookies(&request.headers))?.to_owned()));
        decision.click_ids = policy.click_ids.iter().filter_map(kept).collect();
    } else {
        decision.kind = DecisionKind::Denied;
        decision.reason = reason;
    }
    let Made { event, unusable } =
        visitor_event::make(request, &reading, policy, rule, (event_name.clone(), time, page_url), ldu);
    decision.unusable = unusable;
    let print = fingerprint(policy.secret);
    let contact_digest = event_id::contact_digest(policy.secret, &event.match_keys);
    if !event.has_enough_user_data() {
        // Meta would refuse it (100/2804050) and everything sent with it.
        decision.kind = DecisionKind::NoLead;
        decision.reason = Reason::NoContact;
        decision.hold = None;
        return decision;
    }
    decision.event_id_source = Some(reading.supplied_event_id.as_ref().map_or("fingerprint", |id| id.source));
    decision.submission = Some(Submission {
        fingerprint: print,
        supplied: reading.supplied_event_id.map(|id| SuppliedId { id: id.id, contact: contact_digest }),
        fallback_event_id: event_id::fallback_id(&print),
        body: event.to_json().into(),
        event_name,
        event_time: time,
        event_only: false,
        match_keys: event.match_key_names(),
        ties: browser::ties(policy.secret, policy.consent, request, event.fbc.as_deref()),
    });
    decision
}

/// Why whoever asks is no visitor whose leads or clicks count.
#[must_use]
pub fn no_visitor(request: &RequestRecord, internal: &[IpNet]) -> Option<Reason> {
    visitor::not_a_visitor(request.header("user-agent"), request.client_ip, internal)
}

/// What a page said of the submission that waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// How it ended: the decision stands.
    Yes,
    /// Nothing: it may have been somebody else's view of the page.
    No,
    /// It redirects to another page, which is now expected.
    Elsewhere,
}

/// Asks the page that a decision waits for.
#[must_use]
pub fn follow_up(decision: &mut Decision, page: &Exchange) -> Told {
    let Some(expected) = &decision.expected else { return Told::Yes };
    match form::follow_up(expected, page) {
        FollowUp::Moved(expected) => {
            decision.expected = Some(expected);
            Told::Elsewhere
        }
        FollowUp::Told { verdict: Verdict::NoLead(Reason::UnknownOutcome), outcome, marker } => {
            (decision.outcome, decision.marker) = (outcome, marker);
            Told::No
        }
        FollowUp::Told { verdict, outcome, marker } => {
            decision.expected = None;
            (decision.outcome, decision.marker) = (outcome, marker);
            if let Verdict::NoLead(reason) = verdict {
                decision.refuse(reason);
            }
            Told::Yes
        }
    }
}

fn own_url(request: &RequestRecord) -> String {
    format!("{}://{}{}", request.scheme(), request.host, request.path())
}
