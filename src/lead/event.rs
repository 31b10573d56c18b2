//! Meta's wire format of one event.
//! <https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/server-event>
//!
//! What would make Meta refuse an event, or would say more of the visitor than it should, is left out here, whatever
//! the fields of [`Event`] hold.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

pub use super::address::{best_ip, sendable_ip};
pub use super::match_keys::MatchKeys;
pub use super::shape::is_contact_like;
pub use super::url::{clean_url, without_query};
use crate::exchange::UnixMillis;

/// Longest user agent that is sent; real ones have a few hundred characters.
const MAX_USER_AGENT: usize = 1024;

/// Limited Data Use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ldu {
    country: u16,
    state: u16,
}

impl Ldu {
    /// In a US state by Meta's number; with 0 Meta finds out where the visitor is.
    #[must_use]
    pub const fn in_state(state: u16) -> Self {
        Self { country: if state == 0 { 0 } else { 1 }, state }
    }
}

/// One website event, without its `event_id`, which only the outbox knows. `Debug` shows nothing of the visitor.
#[derive(Clone)]
pub struct Event {
    /// `event_name`.
    pub name: String,
    /// `event_time`.
    pub time: UnixMillis,
    /// `event_source_url`; sent after [`clean_url`].
    pub source_url: String,
    /// `referrer_url`; sent after [`clean_url`].
    pub referrer_url: Option<String>,
    /// Hashed contact data.
    pub match_keys: MatchKeys,
    /// `fbc`.
    pub fbc: Option<String>,
    /// `fbp`.
    pub fbp: Option<String>,
    /// `client_ip_address`; sent after [`sendable_ip`].
    pub client_ip: Option<IpAddr>,
    /// `client_user_agent`; at most 1024 characters are sent, and none when there are control characters.
    pub user_agent: Option<String>,
    /// `custom_data`.
    pub custom_data: BTreeMap<String, Value>,
    /// `data_processing_options`.
    pub ldu: Option<Ldu>,
}

impl Event {
    /// Meta's minimum (100/2804050): more than any of the combinations that are too broad to match anybody.
    /// <https://developers.facebook.com/docs/marketing-api/conversions-api/best-practices>
    #[must_use]
    pub fn has_enough_user_data(&self) -> bool {
        const TOO_BROAD: [&[&str]; 4] = [
            &["ct", "country", "st", "zp", "ge", "client_user_agent"],
            &["db", "client_user_agent"],
            &["fn", "ge"],
            &["ln", "ge"],
        ];
        let sent = self.match_key_names();
        !TOO_BROAD.iter().any(|few| sent.iter().all(|name| few.contains(name)))
    }

    /// The event as JSON without `event_id`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let referrer_url = self.referrer_url.as_deref().map(clean_url).filter(|url| !url.is_empty());
        let wire = Wire {
            user_data: Some(UserData(self.user_data())),
            referrer_url,
            custom_data: &self.custom_data,
            data_processing_options: self.ldu.map(|_| ["LDU"]),
            data_processing_options_country: self.ldu.map(|ldu| ldu.country),
            data_processing_options_state: self.ldu.map(|ldu| ldu.state),
            ..Wire::new(&self.name, self.time, clean_url(&self.source_url))
        };
        wire.to_json()
    }

    /// Meta's names of what is sent of the visitor.
    #[must_use]
    pub fn match_key_names(&self) -> Vec<&'static str> {
        self.user_data().into_iter().map(|(name, _)| name).collect()
    }

    /// What is sent of the visitor, by Meta's names.
    fn user_data<'a>(&'a self) -> Vec<(&'static str, Match<'a>)> {
        let mut all: Vec<_> = self.match_keys.iter().map(|(key, hashes)| (key.name(), Match::Hashes(hashes))).collect();
        let mut add = |name, value: Option<Cow<'a, str>>| all.extend(value.map(|value| (name, Match::Plain(value))));
        add("fbp", self.fbp.as_deref().and_then(meta_cookie));
        add("fbc", self.fbc.as_deref().and_then(meta_cookie));
        add("client_ip_address", self.client_ip.and_then(sendable_ip).map(|ip| ip.to_string().into()));
        add("client_user_agent", self.user_agent.as_deref().and_then(user_agent));
        all
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({} at {}, {:?})", self.name, self.time.as_secs(), self.match_keys)
    }
}

enum Match<'a> {
    Hashes(&'a [String]),
    Plain(Cow<'a, str>),
}

impl Serialize for Match<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Hashes(hashes) => hashes.serialize(serializer),
            Self::Plain(text) => text.serialize(serializer),
        }
    }
}

/// One with an empty last part makes Meta refuse the whole request.
fn meta_cookie(value: &str) -> Option<Cow<'_, str>> {
    let fine = value.starts_with("fb.") && !value.ends_with('.') && value.bytes().all(|b| b.is_ascii_graphic());
    fine.then_some(value.into())
}

fn user_agent(value: &str) -> Option<Cow<'_, str>> {
    let fine = !value.trim().is_empty() && !value.chars().any(char::is_control);
    let end = value.char_indices().nth(MAX_USER_AGENT).map_or(value.len(), |(at, _)| at);
    value.get(..end).filter(|_| fine).map(Cow::from)
}

#[derive(Serialize)]
struct Wire<'a> {
    event_name: &'a str,
    event_time: u64,
    action_source: &'static str,
    event_source_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    referrer_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_data: Option<UserData<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    custom_data: &'a BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_processing_options: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_processing_options_country: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_processing_options_state: Option<u16>,
}

static NO_CUSTOM_DATA: BTreeMap<String, Value> = BTreeMap::new();

impl<'a> Wire<'a> {
    fn new(event_name: &'a str, time: UnixMillis, event_source_url: String) -> Self {
        Self {
            event_name,
            event_time: time.as_secs(),
            action_source: "website",
            event_source_url,
            referrer_url: None,
            user_data: None,
            custom_data: &NO_CUSTOM_DATA,
            data_processing_options: None,
            data_processing_options_country: None,
            data_processing_options_state: None,
        }
    }

    fn to_json(&self) -> String {
        // Maps with text keys and plain values cannot fail to serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}

struct UserData<'a>(Vec<(&'static str, Match<'a>)>);

impl Serialize for UserData<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The event of a denied submission: that it happened and where, nothing of whom.
#[must_use]
pub fn event_only_json(name: &str, time: UnixMillis, url: &str) -> String {
    Wire::new(name, time, without_query(url)).to_json()
}

/// An event as it is sent: the stored one's parts, which are not looked into, and what only the outbox knows.
#[derive(Default, Serialize)]
#[serde(transparent)]
pub struct Sent<'a>(BTreeMap<&'a str, Part<'a>>);

#[derive(Serialize)]
#[serde(untagged)]
enum Part<'a> {
    Stored(&'a RawValue),
    Id(&'a str),
    Time(u64),
}

impl<'a> Sent<'a> {
    /// The event of a stored body under this id; `None` when the body is not an event.
    #[must_use]
    pub fn new(body: &'a str, event_id: &'a str) -> Option<Self> {
        let stored: BTreeMap<&str, &RawValue> = serde_json::from_str(body).ok()?;
        let mut parts: BTreeMap<_, _> = stored.into_iter().map(|(name, value)| (name, Part::Stored(value))).collect();
        parts.insert("event_id", Part::Id(event_id));
        Some(Self(parts))
    }

    /// The same at another time.
    #[must_use]
    pub fn at(mut self, event_time: u64) -> Self {
        self.0.insert("event_time", Part::Time(event_time));
        self
    }
}

/// The event without `user_data.fbc`; `None` when it has none (2804001: a malformed click id is dropped and the event
/// sent again).
#[must_use]
pub fn without_fbc(body: &str) -> Option<String> {
    let mut event: Value = serde_json::from_str(body).ok()?;
    event.get_mut("user_data")?.as_object_mut()?.remove("fbc")?;
    Some(event.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lead::contact::{Contact, Key};
    use crate::lead::normalize::Country;
    use serde_json::json;

    fn keys(values: &[(Key, &str)]) -> MatchKeys {
        let mut contact = Contact::default();
        for (key, value) in values {
            contact.add(*key, *value);
        }
        MatchKeys::from_contact(&contact, Country::from_alpha2("DE")).0
    }

    fn bare() -> Event {
        Event {
            name: "Lead".to_owned(),
            time: UnixMillis(1_795_608_000_123),
            source_url: "https://shop.example/quote".to_owned(),
            referrer_url: None,
            match_keys: MatchKeys::default(),
            fbc: None,
            fbp: None,
            client_ip: None,
            user_agent: None,
            custom_data: BTreeMap::new(),
            ldu: None,
        }
    }

    fn value(event: &Event) -> Value {
        serde_json::from_str(&event.to_json()).unwrap()
    }

    fn visitor() -> Event {
        Event {
            referrer_url: Some("https://shop.example/".to_owned()),
            match_keys: keys(&[
                (Key::Em, "Ana.Ruiz@Example.com "),
                (Key::Ph, "0171 555 01234"),
                (Key::Fn, "Ana"),
                (Key::Ln, "Ruíz"),
            ]),
            fbc: Some("fb.1.1795607000000.IwAR0abcd1234".to_owned()),
            fbp: Some("fb.1.1795607000000.1234567890".to_owned()),
            client_ip: Some("203.0.113.42".parse().unwrap()),
            user_agent: Some("Mozilla/5.0 (X11; Linux x86_64) Example/1.0".to_owned()),
            custom_data: [("currency", json!("EUR")), ("value", json!(35.0)), ("content_name", json!("Quote request"))]
                .map(|(key, value)| (key.to_owned(), value))
                .into(),
            ..bare()
        }
    }

    #[test]
    fn a_visitors_event_is_metas_wire_format() {
        let expected: Value = serde_json::from_str(
            r#"{"event_name":"Lead","event_time":1795608000,"event_id":"9e1b6b8a-6c0e-4f8d-bce1-c4a3a6f4d2b1",
            "action_source":"website","event_source_url":"https://shop.example/quote",
            "referrer_url":"https://shop.example/",
            "user_data":{
              "em":["539dba384e7bad34cfe11197def7787e078172956b42bdfbb3e529537d6e0267"],
              "ph":["db92e55cc6349bf15f42231754bdd47089390a8fe8ee7a6c9dee8af6147caf5c"],
              "fn":["24d4b96f58da6d4a8512313bbd02a28ebf0ca95dec6e4c86ef78ce7f01e788ac"],
              "ln":["24c45ed73a90ff5d9d50969f02ec7dba7e716b700e135ac719c7898e61ac2085"],
              "fbp":"fb.1.1795607000000.1234567890","fbc":"fb.1.1795607000000.IwAR0abcd1234",
              "client_ip_address":"203.0.113.42",
              "client_user_agent":"Mozilla/5.0 (X11; Linux x86_64) Example/1.0"},
            "custom_data":{"currency":"EUR","value":35.0,"content_name":"Quote request"}}"#,
        )
        .unwrap();
        let body = visitor().to_json();
        let sent = Sent::new(&body, "9e1b6b8a-6c0e-4f8d-bce1-c4a3a6f4d2b1").unwrap();
        assert_eq!(serde_json::to_value(&sent).unwrap(), expected);
        assert_eq!(serde_json::to_value(sent.at(1_795_608_007)).unwrap()["event_time"], 1_795_608_007);
    }

    #[test]
    fn what_is_empty_is_left_out() {
        let expected = json!({"event_name": "Lead", "event_time": 1_795_608_000, "action_source": "website",
            "event_source_url": "https://shop.example/quote", "user_data": {}});
        assert_eq!(value(&bare()), expected);
    }

    #[test]
    fn limited_data_use_names_the_state_or_leaves_it_to_meta() {
        let event = value(&Event { ldu: Some(Ldu::in_state(0)), ..bare() });
        assert_eq!(event["data_processing_options"], json!(["LDU"]));
        assert_eq!(event["data_processing_options_country"], json!(0));
        assert_eq!(event["data_processing_options_state"], json!(0));
    }

    #[test]
    fn what_meta_would_refuse_or_should_not_see_is_not_sent() {
        let event = value(&Event {
            source_url: "https://shop.example/quote?email=ana@example.com&fbclid=Ab#x".to_owned(),
            referrer_url: Some("https://shop.example/?token=t".to_owned()),
            fbc: Some("fb.1.1795607000000.".to_owned()),
            fbp: Some("x y".to_owned()),
            client_ip: Some("10.0.0.1".parse().unwrap()),
            user_agent: Some("Mozilla\u{7}".to_owned()),
            ..bare()
        });
        assert_eq!(event["event_source_url"], "https://shop.example/quote?fbclid=Ab");
        assert_eq!(event["referrer_url"], "https://shop.example/");
        assert_eq!(event["user_data"], json!({}));
        let long = value(&Event { user_agent: Some("é".repeat(5000)), ..bare() });
        assert_eq!(long["user_data"]["client_user_agent"].as_str().unwrap().chars().count(), MAX_USER_AGENT);
    }

    /// Meta's best-practices page, "events sent with these combinations are considered invalid".
    #[test]
    fn metas_minimum_of_user_data_is_enforced() {
        let ua = Some("Mozilla/5.0".to_owned());
        let with = |values: &[(Key, &str)], user_agent: &Option<String>| {
            Event { match_keys: keys(values), user_agent: user_agent.clone(), ..bare() }.has_enough_user_data()
        };
        let place =
            [(Key::Ct, "Berlin"), (Key::St, "Berlin"), (Key::Zp, "10115"), (Key::Country, "DE"), (Key::Ge, "f")];
        assert!(!with(&[], &None));
        assert!(!with(&[], &ua));
        assert!(!with(&place, &ua));
        assert!(!with(&[(Key::Db, "1997-02-16")], &ua));
        assert!(!with(&[(Key::Fn, "Ana"), (Key::Ge, "f")], &None));
        assert!(!with(&[(Key::Ln, "Ruíz")], &None));
        assert!(with(&[(Key::Em, "ana@example.com")], &None));
        assert!(with(&[(Key::Fn, "Ana"), (Key::Ln, "Ruíz")], &None));
        assert!(Event { fbp: visitor().fbp, ..bare() }.has_enough_user_data());
        assert!(!Event { client_ip: "192.168.0.1".parse().ok(), ..bare() }.has_enough_user_data());
        assert!(Event { client_ip: "203.0.113.42".parse().ok(), ..bare() }.has_enough_user_data());
    }

    #[test]
    fn a_denied_event_says_nothing_of_the_visitor() {
        let url = "https://ana@shop.example/quote?email=ana@example.com&fbclid=x#y";
        assert_eq!(
            event_only_json("Lead", UnixMillis(1_795_608_000_000), url),
            r#"{"event_name":"Lead","event_time":1795608000,"action_source":"website","event_source_url":"https://shop.example/quote"}"#
        );
    }

    #[test]
    fn what_is_no_event_is_not_sent() {
        for body in ["[]", "", "{\"a\":}", "{\"a\":{\"b\":]}}"] {
            assert!(Sent::new(body, "x").is_none(), "{body}");
        }
    }

    #[test]
    fn a_refused_click_id_is_dropped_once() {
        let body = visitor().to_json();
        let repaired = without_fbc(&body).unwrap();
        let mut expected: Value = serde_json::from_str(&body).unwrap();
        expected["user_data"].as_object_mut().unwrap().remove("fbc");
        assert_eq!(serde_json::from_str::<Value>(&repaired).unwrap(), expected);
        assert_eq!(without_fbc(&repaired), None);
        assert_eq!(without_fbc("not json"), None);
    }

    #[test]
    fn debug_shows_no_visitor() {
        let shown = format!("{:?}", visitor());
        assert_eq!(shown, r#"Event(Lead at 1795608000, ["em", "ph", "fn", "ln"])"#);
    }
}
