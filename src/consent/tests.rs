use bytes::Bytes;
use proptest::prelude::*;

use super::finding::Choice;
use super::*;
use crate::config::{OnDenied, OnUnknown};
use crate::exchange::{Captured, RequestRecord, UnixMillis};
use crate::reason::Reason;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

const YES: &str = "cookieyes-consent=action:yes,advertisement:yes";
const NO: &str = "cookieyes-consent=action:yes,advertisement:no";
const UNANSWERED: &str = "cookieyes-consent=action:,advertisement:yes";

pub fn category_rule(signal: &str, category: &str) -> ConsentRule {
    ConsentRule { signal: signal.to_owned(), category: Some(category.to_owned()), ..Default::default() }
}

fn with_rules(rules: &[ConsentRule]) -> ConsentConfig {
    ConsentConfig { rules: rules.to_vec(), ..ConsentConfig::default() }
}

/// What one reader finds in a `Cookie` line.
pub fn choice(signal: &str, cookies: &str) -> Option<Choice> {
    find(&ConsentRule { signal: signal.to_owned(), ..Default::default() }, cookies).map(|finding| finding.choice)
}

/// The same with a `[[consent.rule]]`.
pub fn choice_by_rule(signal: &str, category: &str, cookies: &str) -> Option<Choice> {
    find(&category_rule(signal, category), cookies).map(|finding| finding.choice)
}

/// What the reader of a rule finds, by that rule. The index must lead to it as well, or a real request would not.
pub fn find(rule: &ConsentRule, cookies: &str) -> Option<Finding> {
    let headers = HeaderMap::new();
    let (number, reader) =
        READERS.iter().enumerate().find(|(_, reader)| reader.name == rule.signal).expect("a signal of the table");
    let signals = Signals::from_headers(&headers).with_cookie_line(cookies.as_bytes());
    let asked = index::asked(&signals);
    let finding = (reader.read)(&signals, rule);
    let is_asked = asked.has(number) || rule.name.is_some();
    assert!(finding.is_none() || is_asked, "{} is not asked about {cookies}", rule.signal);
    finding
}

/// What a reader finds in a request that is more than its cookies.
pub fn find_in(signal: &str, target: &str, headers: &[(&str, &str)]) -> Option<Finding> {
    let request = RequestRecord {
        method: Method::GET,
        target: target.to_owned(),
        https: true,
        host: "shop.example".to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect(),
        body: Captured::Whole(Bytes::new()),
        client_ip: None,
        received: UnixMillis(1_795_608_000_000),
    };
    let reader = READERS.iter().find(|reader| reader.name == signal).expect("a signal of the table");
    (reader.read)(&Signals::of(&request), &ConsentRule::default())
}

fn read_request(cookies: &[&str], gpc: bool, rules: &[ConsentRule]) -> Consent {
    let mut headers = HeaderMap::new();
    for line in cookies {
        headers.append("cookie", line.parse().unwrap());
    }
    if gpc {
        headers.insert("sec-gpc", "1".parse().unwrap());
    }
    read(&Signals::from_headers(&headers), &with_rules(rules))
}

#[test]
fn denied_beats_no_choice_beats_granted_and_absent_counts_for_nothing() {
    let closed = "OptanonAlertBoxClosed=2026-11-02T10:00:00.000Z";
    let unseen = "OptanonConsent=interactionCount=0&groups=C0004%3A1";
    for (cookies, gpc, state, signal, us) in [
        (&[][..], false, State::Unknown, None, false),
        (&["session=1"], false, State::Unknown, None, false),
        (&[YES], false, State::Granted, Some("cookieyes"), false),
        (&[NO], false, State::Denied, Some("cookieyes"), false),
        (&[UNANSWERED], false, State::Unknown, Some("cookieyes"), false),
        (&[YES, "cmplz_marketing=allow"], false, State::Granted, Some("cookieyes"), false),
        (&[YES, "cmplz_marketing=deny"], false, State::Denied, Some("complianz"), false),
        (&[YES, unseen, closed], false, State::Unknown, Some("onetrust"), false),
        (&[NO, unseen, closed], false, State::Denied, Some("cookieyes"), false),
        (&[], true, State::Denied, Some("gpc"), true),
        (&[YES], true, State::Denied, Some("gpc"), true),
        // The banner says no as well: this is not merely a US opt-out.
        (&[NO], true, State::Denied, Some("cookieyes"), false),
        // Without GPC nothing would be sent; with it no more may be.
        (&[UNANSWERED], true, State::Denied, Some("gpc"), false),
    ] {
        let consent = read_request(cookies, gpc, &[]);
        assert_eq!(
            (consent.state, consent.signal, consent.us_opt_out.is_some()),
            (state, signal, us),
            "{cookies:?} {gpc}"
        );
    }
}

#[test]
fn reasons_are_fixed_words() {
    for (cookies, reason) in [
        ("", "no signal found"),
        (NO, "advertisement:no"),
        (
            "OptanonConsent=interactionCount=0&consentId=secret; OptanonAlertBoxClosed=x",
            "no choice yet (interactionCount=0)",
        ),
        ("cookieyes-consent=consentid:secret,action:yes,advertisement:secret", "advertisement cannot be decoded"),
        ("cookieyes-consent=secret", "cookieyes-consent cannot be decoded"),
    ] {
        assert_eq!(read_request(&[cookies], false, &[]).reason, reason);
    }
}

#[test]
fn only_1_is_a_privacy_signal() {
    for (value, state) in
        [("1", State::Denied), (" 1 ", State::Denied), ("0", State::Unknown), ("true", State::Unknown)]
    {
        let mut headers = HeaderMap::new();
        headers.insert("sec-gpc", value.parse().unwrap());
        assert_eq!(read(&Signals::from_headers(&headers), &with_rules(&[])).state, state, "{value:?}");
    }
}

#[test]
fn a_foreign_byte_hides_no_other_cookie() {
    let headers = HeaderMap::new();
    for line in
        [&b"name=J\xf6rg; cookieyes-consent=action:yes,advertisement:no"[..], b"a=\x01\r; cmplz_marketing=deny\r"]
    {
        let consent = read(&Signals::from_headers(&headers).with_cookie_line(line), &with_rules(&[]));
        assert_eq!(consent.state, State::Denied);
    }
}

#[test]
fn several_rules_for_one_signal_must_all_be_granted() {
    let cookie = "cookieyes-consent=action:yes,advertisement:no,social:yes,video:no";
    let state = |rules: &[ConsentRule]| read_request(&[cookie], false, rules).state;
    assert_eq!(state(&[]), State::Denied);
    assert_eq!(state(&[category_rule("cookieyes", "social")]), State::Granted);
    assert_eq!(state(&[category_rule("cookieyes", "social"), category_rule("cookieyes", "video")]), State::Denied);
    assert_eq!(state(&[category_rule("onetrust", "social")]), State::Denied);
}

#[test]
fn rules_are_checked_for_signal_and_kind_of_category() {
    for (rule, fine) in [
        (category_rule("onetrust", "C0005"), true),
        (category_rule("tcf", "1,7"), true),
        (ConsentRule { signal: "tcf".to_owned(), ..Default::default() }, true),
        (category_rule("tcf", "marketing"), false),
        (category_rule("gpc", "x"), false),
        (category_rule("cookieyes", ""), false),
        (category_rule("OneTrust", "C0005"), false),
    ] {
        assert_eq!(check_rule(&rule).is_ok(), fine, "{rule:?}");
    }
    assert!(check_rule(&category_rule("x", "y")).unwrap_err().to_string().contains("cookieyes, cookiebot"));
}

#[test]
fn the_policy_turns_states_into_rulings() {
    use OnDenied::{Drop, EventOnly, Ldu};
    use OnUnknown::{Deny, Grant};
    let denied = Reason::ConsentDenied;
    let unknown = Reason::ConsentUnknown;
    for (cookies, gpc, on_unknown, on_denied, ruling) in [
        (YES, false, Deny, Drop, Ruling::Granted),
        (NO, false, Grant, EventOnly, Ruling::EventOnly(denied)),
        (NO, false, Grant, Drop, Ruling::Drop(denied)),
        (NO, false, Grant, Ldu, Ruling::EventOnly(denied)),
        (YES, true, Deny, Ldu, Ruling::Ldu(denied, UsState::UNKNOWN)),
        ("", true, Grant, Ldu, Ruling::Ldu(denied, UsState::UNKNOWN)),
        (NO, true, Deny, Ldu, Ruling::EventOnly(denied)),
        (UNANSWERED, true, Grant, Ldu, Ruling::EventOnly(denied)),
        ("", true, Deny, EventOnly, Ruling::EventOnly(denied)),
        ("", false, Deny, EventOnly, Ruling::EventOnly(unknown)),
        ("", false, Deny, Drop, Ruling::Drop(unknown)),
        ("", false, Deny, Ldu, Ruling::EventOnly(unknown)),
        ("", false, Grant, Drop, Ruling::Granted),
        // A banner that waits for its answer is not the absence of a banner.
        (UNANSWERED, false, Grant, EventOnly, Ruling::EventOnly(unknown)),
    ] {
        let consent = read_request(&[cookies], gpc, &[]);
        assert_eq!(rule(&consent, on_unknown, on_denied), ruling, "{cookies} {gpc} {on_unknown:?} {on_denied:?}");
        assert_eq!(allows_cookies(&consent, on_unknown), ruling == Ruling::Granted);
    }
}

/// The names the readers look for.
const NAMES: [&str; 10] = [
    "cookieyes-consent",
    "wt_consent",
    "CookieConsent",
    "OptanonConsent",
    "OptanonAlertBoxClosed",
    "cmplz_marketing",
    "euconsent-v2",
    "eupubconsent-v2",
    "addtl_consent",
    "real_cookie_banner-tcf",
];

/// Torn pieces of real syntax reach further into the readers than noise does.
const PIECES: [&str; 32] = [
    "cookieyes-consent=",
    "CookieConsent=",
    "OptanonConsent=",
    "OptanonAlertBoxClosed=1",
    "euconsent-v2=",
    "addtl_consent=",
    "CQAAAAAAAAAAAAAAAAAAAAAA",
    "{stamp:",
    "groups=",
    "C0004:",
    "action",
    "marketing",
    "true",
    "yes",
    "1",
    "-1",
    "'",
    "}",
    ",",
    ":",
    ";",
    "&",
    "=",
    "%",
    "%2",
    "%25",
    "%2C",
    "%ff",
    "~",
    ".",
    "é",
    "\u{0}",
];

fn read_line(line: &[u8]) -> Consent {
    read(&Signals::from_headers(&HeaderMap::new()).with_cookie_line(line), &with_rules(&[]))
}

proptest! {
    #[test]
    fn random_bytes_are_never_consent(
        cookies in prop::collection::vec(
            (prop::sample::select(&NAMES[..]), prop::collection::vec(any::<u8>(), 0..80)),
            0..5,
        )
    ) {
        let cookie = |(name, value): &(&str, Vec<u8>)| [name.as_bytes(), b"=", value, b"; "].concat();
        let line: Vec<u8> = cookies.iter().flat_map(cookie).collect();
        prop_assert_ne!(read_line(&line).state, State::Granted);
    }

    #[test]
    fn pieces_of_syntax_in_any_order_crash_nothing(
        pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..24)
    ) {
        let consent = read_line(pieces.concat().as_bytes());
        prop_assert_eq!(consent.signal.is_none(), consent.reason == "no signal found");
    }
}
