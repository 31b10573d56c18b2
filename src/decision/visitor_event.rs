//! A consented submission → the event with everything that is known of the visitor.

use super::{Policy, custom_data};
use crate::config::FormRule;
use crate::exchange::{RequestRecord, UnixMillis, cookies};
use crate::form::Reading;
use crate::landing;
use crate::lead::contact::Key;
use crate::lead::event::{self, Event, Ldu, MatchKeys};
use crate::lead::normalize::Country;

/// The event, and the contact values that could not be used: key and reason, never the value.
pub(super) struct Made {
    pub event: Event,
    pub unusable: Vec<(Key, &'static str)>,
}

/// Puts it together. `named` is the event's name, its time and the page the form was on.
pub(super) fn make(
    request: &RequestRecord,
    reading: &Reading,
    policy: &Policy<'_>,
    rule: Option<&FormRule>,
    named: (String, UnixMillis, String),
    ldu: Option<Ldu>,
) -> Made {
    let (name, time, page_url) = named;
    let contact = &reading.roles.contact;
    // Of phone numbers without a country code: what the visitor says of this lead, what the operator says of all, the site's
    // domain. The visitor's own country knows better: a wrong code makes another person's number.
    let region = contact
        .first(Key::Country)
        .and_then(Country::from_name)
        .or(policy.default_country)
        .or_else(|| Country::of_host(request.host_name()));
    let (match_keys, unusable) = MatchKeys::from_contact(contact, region);
    let all = |name| cookies(&request.headers).filter(move |(own, _)| *own == name).map(|(_, value)| value);
    let valid = |name| all(name).find(|value| landing::is_valid_cookie(value));
    let event = Event {
        name,
        time,
        referrer_url: reading.referrer_url.clone(),
        fbc: landing::fbc_for_submission(Some(&page_url), request.host_name(), valid("_fbc"), time),
        fbp: landing::fbp_for_submission(valid("_fbp")),
        source_url: page_url,
        match_keys,
        client_ip: event::best_ip(request.client_ip, all("_fbi").next()),
        user_agent: request.header("user-agent").map(str::to_owned),
        custom_data: custom_data::of(rule, &reading.roles, &reading.fields),
        ldu,
    };
    Made { event, unusable: unusable.into_iter().map(|(key, why)| (key, why.code())).collect() }
}
