//! Meta's wire format of one event, and what may be in it.
//! <https://developers.facebook.com/docs/marketing-api/conversions-api/parameters>

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::contact::{Contact, Key};
use super::normalize::{Country, Normalized, Unusable, normalize};
use super::url::{clean_url, without_query};
use crate::exchange::UnixMillis;

/// Values per key at most: a form has two addresses now and then, never ten.
const MAX_VALUES: usize = 3;
/// Longer user agents are nobody's browser.
const MAX_USER_AGENT: usize = 1024;

/// Limited Data Use.
/// <https://developers.facebook.com/docs/marketing-api/data-processing-options>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ldu {
    country: u16,
    state: u16,
}

impl Ldu {
    /// Country 0, state 0: Meta finds out where the visitor is.
    #[must_use]
    pub const fn geolocated() -> Self {
        Self { country: 0, state: 0 }
    }
}

/// Hashed contact data, ready to send. It can only be made by normalising and hashing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchKeys(BTreeMap<Key, Vec<String>>);

impl MatchKeys {
    /// Normalises and hashes; what cannot be used is named with the reason. The form's own country decides about postal
    /// codes, `region` about phone numbers.
    #[must_use]
    pub fn from_contact(contact: &Contact, region: Option<Country>) -> (Self, Vec<(Key, Unusable)>) {
        let country = contact.first(Key::Country).and_then(Country::from_name).or(region);
        let (mut keys, mut unusable) = (BTreeMap::<Key, Vec<String>>::new(), Vec::new());
        for (key, raw) in contact.iter() {
            let region = if key == Key::Zp { country } else { region };
            match normalize(key, raw, region).map(|value: Normalized| value.sha256()) {
                Ok(hash) => {
                    let hashes = keys.entry(key).or_default();
                    if hashes.len() < MAX_VALUES && !hashes.contains(&hash) {
                        hashes.push(hash);
                    }
                }
                Err(why) => unusable.push((key, why)),
            }
        }
        (Self(keys), unusable)
    }

    /// The hashes of each key, in the order of [`Key::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Key, &[String])> {
        self.0.iter().map(|(key, hashes)| (*key, hashes.as_slice()))
    }
}

/// One website event, without its `event_id`, which only the outbox knows.
#[derive(Clone, Debug)]
pub struct Event {
    /// `event_name`.
    pub name: String,
    /// `event_time`, sent in whole seconds.
    pub time: UnixMillis,
    /// `event_source_url`; personal data in its query is removed when it is written.
    pub source_url: String,
    /// `referrer_url`, likewise.
    pub referrer_url: Option<String>,
    /// Hashed contact data.
    pub match_keys: MatchKeys,
    /// `fbc`.
    pub fbc: Option<String>,
    /// `fbp`.
    pub fbp: Option<String>,
    /// `client_ip_address`.
    pub client_ip: Option<IpAddr>,
    /// `client_user_agent`.
    pub user_agent: Option<String>,
    /// `custom_data`.
    pub custom_data: BTreeMap<String, Value>,
    /// `data_processing_options`.
    pub ldu: Option<Ldu>,
}

impl Event {
    /// Meta's minimum: an event whose user data is a subset of one of four weak sets is refused (100/2804050), and
    /// everything sent with it.
    /// <https://developers.facebook.com/docs/marketing-api/conversions-api/best-practices>
    #[must_use]
    pub fn has_enough_user_data(&self) -> bool {
        const WEAK: [&[&str]; 4] = [
            &["ct", "country", "st", "zp", "ge", "client_user_agent"],
            &["db", "client_user_agent"],
            &["fn", "ge"],
            &["ln", "ge"],
        ];
        let data = self.user_data();
        !WEAK.iter().any(|weak| data.keys().all(|key| weak.contains(&key.as_str())))
    }

    /// The event as JSON without `event_id`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut event = base(&self.name, self.time, &clean_url(&self.source_url));
        if let Some(referrer) = &self.referrer_url {
            event.insert("referrer_url".to_owned(), json!(clean_url(referrer)));
        }
        event.insert("user_data".to_owned(), Value::Object(self.user_data()));
        if !self.custom_data.is_empty() {
            event.insert("custom_data".to_owned(), json!(self.custom_data));
        }
        if let Some(Ldu { country, state }) = self.ldu {
            event.insert("data_processing_options".to_owned(), json!(["LDU"]));
            event.insert("data_processing_options_country".to_owned(), json!(country));
            event.insert("data_processing_options_state".to_owned(), json!(state));
        }
        Value::Object(event).to_string()
    }

    fn user_data(&self) -> Map<String, Value> {
        let mut data: Map<String, Value> =
            self.match_keys.iter().map(|(key, hashes)| (key.name().to_owned(), json!(hashes))).collect();
        let agent =
            self.user_agent.as_deref().map(str::trim).filter(|agent| {
                !agent.is_empty() && agent.len() <= MAX_USER_AGENT && !agent.chars().any(char::is_control)
            });
        for (name, value) in [
            ("fbc", self.fbc.clone()),
            ("fbp", self.fbp.clone()),
            ("client_ip_address", self.client_ip.map(|ip| ip.to_string())),
            ("client_user_agent", agent.map(str::to_owned)),
        ] {
            if let Some(value) = value {
                data.insert(name.to_owned(), Value::String(value));
            }
        }
        data
    }
}

fn base(name: &str, time: UnixMillis, url: &str) -> Map<String, Value> {
    let mut event = Map::new();
    event.insert("event_name".to_owned(), json!(name));
    event.insert("event_time".to_owned(), json!(time.as_secs()));
    event.insert("action_source".to_owned(), json!("website"));
    event.insert("event_source_url".to_owned(), json!(url));
    event
}

/// The event of a denied submission: what happened and where, nothing about whom.
#[must_use]
pub fn event_only_json(name: &str, time: UnixMillis, url: &str) -> String {
    Value::Object(base(name, time, &without_query(url))).to_string()
}

/// The event with its id, as it is sent. `None` when the body is not one of ours.
#[must_use]
pub fn with_event_id(body: &str, event_id: &str) -> Option<Value> {
    let mut event: Value = serde_json::from_str(body).ok()?;
    event.as_object_mut()?.insert("event_id".to_owned(), json!(event_id));
    Some(event)
}

/// The event without `user_data.fbc`; `None` when it has none (2804001: a malformed click id is dropped and the event
/// sent again).
#[must_use]
pub fn without_fbc(body: &str) -> Option<String> {
    let mut event: Value = serde_json::from_str(body).ok()?;
    event.get_mut("user_data")?.as_object_mut()?.remove("fbc")?;
    Some(event.to_string())
}

/// An address that may be sent: unmapped, and one that can be a visitor's on the internet. The documentation ranges
/// (RFC 5737, RFC 3849) pass, since examples and tests use them.
#[must_use]
pub fn sendable_ip(ip: IpAddr) -> Option<IpAddr> {
    let ip = ip.to_canonical();
    let public = match ip {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                // RFC 6598 (carrier-grade NAT), RFC 6890 (protocol assignments), RFC 2544 (benchmarks).
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (18..20).contains(&b)))
        }
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            // 2000::/3 is all that is assigned to the public internet (RFC 4291 2.4); Teredo and 6to4 hide a v4 address.
            (first & 0xe000) == 0x2000 && first != 0x2002 && !(first == 0x2001 && v6.segments()[1] == 0)
        }
    };
    public.then_some(ip)
}

/// Whether a text looks like an e-mail address or a phone number.
#[must_use]
pub fn is_contact_like(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    // "10000-20000" is a budget, "650-555-1212" and "6505551212" are numbers.
    let separators = text.trim().chars().filter(|c| !c.is_ascii_digit()).count();
    let phone = (7..=15).contains(&digits)
        && text.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '+' | '-' | '/' | '(' | ')' | '.'))
        && (text.trim_start().starts_with(['+', '0', '(']) || (digits >= 10 && separators != 1));
    let mail = text.split_once('@').is_some_and(|(before, after)| {
        before.chars().next_back().is_some_and(|c| !c.is_whitespace())
            && after.chars().next().is_some_and(char::is_alphanumeric)
            && after.contains('.')
    });
    phone || mail
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visitor() -> Event {
        let mut contact = Contact::default();
        contact.add(Key::Em, "Ana.Ruiz@Example.com ");
        contact.add(Key::Ph, "0171 555 01234");
        contact.add(Key::Fn, "Ana");
        contact.add(Key::Ln, "Ruíz");
        let (match_keys, unusable) = MatchKeys::from_contact(&contact, Country::from_alpha2("DE"));
        assert!(unusable.is_empty(), "{unusable:?}");
        Event {
            name: "Lead".to_owned(),
            time: UnixMillis(1_795_608_000_123),
            source_url: "https://shop.example/quote".to_owned(),
            referrer_url: Some("https://shop.example/".to_owned()),
            match_keys,
            fbc: Some("fb.1.1795607000000.IwAR0abcd1234".to_owned()),
            fbp: Some("fb.1.1795607000000.1234567890".to_owned()),
            client_ip: sendable_ip("203.0.113.42".parse().unwrap()),
            user_agent: Some("Mozilla/5.0 (X11; Linux x86_64) Example/1.0".to_owned()),
            custom_data: BTreeMap::from([
                ("currency".to_owned(), json!("EUR")),
                ("value".to_owned(), json!(35.0)),
                ("content_name".to_owned(), json!("Quote request")),
            ]),
            ldu: None,
        }
    }

    #[test]
    fn the_fictitious_visitors_event_is_written_as_documented() {
        let expected = json!({"event_name":"Lead","event_time":1_795_608_000,"event_id":"9e1b6b8a-6c0e-4f8d-bce1-c4a3a6f4d2b1",
          "action_source":"website","event_source_url":"https://shop.example/quote","referrer_url":"https://shop.example/",
          "user_data":{
            "em":["539dba384e7bad34cfe11197def7787e078172956b42bdfbb3e529537d6e0267"],
            "ph":["db92e55cc6349bf15f42231754bdd47089390a8fe8ee7a6c9dee8af6147caf5c"],
            "fn":["24d4b96f58da6d4a8512313bbd02a28ebf0ca95dec6e4c86ef78ce7f01e788ac"],
            "ln":["24c45ed73a90ff5d9d50969f02ec7dba7e716b700e135ac719c7898e61ac2085"],
            "fbp":"fb.1.1795607000000.1234567890","fbc":"fb.1.1795607000000.IwAR0abcd1234",
            "client_ip_address":"203.0.113.42","client_user_agent":"Mozilla/5.0 (X11; Linux x86_64) Example/1.0"},
          "custom_data":{"currency":"EUR","value":35.0,"content_name":"Quote request"}});
        assert_eq!(with_event_id(&visitor().to_json(), "9e1b6b8a-6c0e-4f8d-bce1-c4a3a6f4d2b1"), Some(expected));
    }

    #[test]
    fn a_refused_click_id_can_be_dropped_once() {
        let repaired = without_fbc(&visitor().to_json()).unwrap();
        assert!(repaired.contains("\"fbp\"") && !repaired.contains("\"fbc\""));
        assert_eq!(without_fbc(&repaired), None);
    }

    #[test]
    fn metas_minimum_is_known() {
        let bare = |keys: &[(Key, &str)], agent: bool| {
            let mut contact = Contact::default();
            for (key, value) in keys {
                contact.add(*key, *value);
            }
            let (match_keys, _) = MatchKeys::from_contact(&contact, None);
            let user_agent = agent.then(|| "Mozilla/5.0".to_owned());
            Event { match_keys, user_agent, fbc: None, fbp: None, client_ip: None, ..visitor() }.has_enough_user_data()
        };
        for (keys, agent, enough) in [
            (&[][..], false, false),
            (&[][..], true, false),
            (&[(Key::Ct, "Berlin"), (Key::Country, "DE"), (Key::Zp, "10115")], true, false),
            (&[(Key::Db, "1990-01-31")], true, false),
            (&[(Key::Fn, "Ana"), (Key::Ge, "f")], false, false),
            (&[(Key::Fn, "Ana"), (Key::Ln, "Ruíz")], true, true),
            (&[(Key::Em, "a@example.com")], false, true),
        ] {
            assert_eq!(bare(keys, agent), enough, "{keys:?} {agent}");
        }
        assert!(
            Event { match_keys: MatchKeys::default(), user_agent: None, fbp: None, client_ip: None, ..visitor() }
                .has_enough_user_data()
        );
    }

    #[test]
    fn a_denied_submission_says_nothing_about_the_visitor() {
        let event: Value = serde_json::from_str(&event_only_json(
            "Lead",
            UnixMillis(1_795_608_000_000),
            "https://a.example/x?email=b#c",
        ))
        .unwrap();
        assert_eq!(
            event,
            json!({"event_name":"Lead","event_time":1_795_608_000,"action_source":"website","event_source_url":"https://a.example/x"})
        );
    }

    #[test]
    fn limited_data_use_is_written_out() {
        let event: Value =
            serde_json::from_str(&Event { ldu: Some(Ldu::geolocated()), ..visitor() }.to_json()).unwrap();
        assert_eq!(event["data_processing_options"], json!(["LDU"]));
        assert_eq!(
            (&event["data_processing_options_country"], &event["data_processing_options_state"]),
            (&json!(0), &json!(0))
        );
    }

    #[test]
    fn only_addresses_of_the_internet_are_sent() {
        for (ip, sent) in [
            ("203.0.113.42", Some("203.0.113.42")),
            ("::ffff:198.51.100.7", Some("198.51.100.7")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("8.8.8.8", Some("8.8.8.8")),
            ("10.0.0.1", None),
            ("::ffff:192.168.0.1", None),
            ("100.64.0.1", None),
            ("127.0.0.1", None),
            ("0.1.2.3", None),
            ("169.254.1.1", None),
            ("224.0.0.1", None),
            ("255.255.255.255", None),
            ("::1", None),
            ("fe80::1", None),
            ("febf::1", None),
            ("fd00::1", None),
            ("ff02::1", None),
            ("2002:7f00:1::", None),
        ] {
            assert_eq!(sendable_ip(ip.parse().unwrap()).map(|ip| ip.to_string()).as_deref(), sent, "{ip}");
        }
    }

    #[test]
    fn contact_like_texts_are_recognised() {
        for text in
            ["a@example.com", "call a@example.com please", "+49 171 55501234", "0171/555-01234", "(650) 555-1212"]
        {
            assert!(is_contact_like(text), "{text}");
        }
        for text in ["Quote request", "5000-10000", "2026", "@home", "a @ b", "high", ""] {
            assert!(!is_contact_like(text), "{text}");
        }
    }
}
