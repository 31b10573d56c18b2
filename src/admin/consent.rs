//! The status page's part about consent: what each signal said, what it costs, and what to do about it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::page::{clock, escape};
use crate::intake::ConsentSeen;
use crate::reason::{DecisionKind, Reason};

/// What it costs that consent could not be found, said loudly while it does.
pub fn warnings(out: &mut String, seen: &ConsentSeen, counts: &BTreeMap<(DecisionKind, Reason), u64>) {
    let lost = counts.get(&(DecisionKind::Denied, Reason::ConsentUnknown)).copied().unwrap_or_default();
    if lost > 0 {
        let _ = write!(
            out,
            "<p class=warn><b>{lost} accepted submission{} not sent with match data, because no consent could be found.</b> \
             If your visitors do consent, the table below shows what was read of your banner, and \
             <code>capi-sidecar consent</code> reads a Cookie header that you copy from your browser.",
            if lost == 1 { " was" } else { "s were" }
        );
    }
    // With the bridge in place there is nothing to be said.
    for found in seen.on_pages.values().filter(|_| !seen.signals.contains_key("bridge")) {
        let _ = write!(
            out,
            "<p class=warn>Your pages load {}, which keeps the answer in {}, where no server can read it. Let it set the \
             cookie <code>capi_consent</code> to granted or denied in its callback: {}. examples/consent-bridge does that.",
            escape(found.banner),
            escape(found.place),
            escape(found.callback)
        );
    }
    if !seen.unread.is_empty() && (lost > 0 || seen.signals.is_empty()) {
        let names: Vec<_> = seen.unread.iter().map(|name| format!("<code>{}</code>", escape(name))).collect();
        let _ = write!(
            out,
            "<p class=warn>Cookies that look like a banner's and are not read: {}. If one of them is yours, name it in a \
             <code>[[consent.rule]]</code> with <code>signal = \"cookie\"</code>.",
            names.join(", ")
        );
    }
}

/// The table.
pub fn table(out: &mut String, seen: &ConsentSeen) {
    if seen.signals.is_empty() && seen.none == 0 {
        return;
    }
    out.push_str(
        "<h2>Consent signals of submissions and landings</h2><div class=scroll><table><tr><th>signal<th>granted<th>denied\
         <th>no choice yet<th>last seen<th>last said",
    );
    for (name, signal) in &seen.signals {
        let _ = write!(
            out,
            "<tr><td><code>{name}</code><td class=n>{}<td class=n>{}<td class=n>{}{}<td>{}<td>{}",
            signal.granted,
            signal.denied,
            signal.unknown,
            if signal.unreadable > 0 { " (unreadable)" } else { "" },
            clock(signal.last_at),
            escape(&signal.last)
        );
    }
    let _ = write!(out, "<tr><td>none<td><td><td class=n>{}<td><td></table></div>", seen.none);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConsentConfig;
    use crate::consent::{self, Signals};
    use crate::exchange::UnixMillis;

    #[test]
    fn an_operator_sees_what_each_signal_said_and_what_is_not_read() {
        let headers = http::HeaderMap::new();
        let mut seen = ConsentSeen::default();
        for line in ["cookieyes-consent=action:yes,advertisement:no", "my_consent=yes", ""] {
            let signals = Signals::from_headers(&headers).with_cookie_line(line.as_bytes());
            let consent = consent::read(&signals, &ConsentConfig::default());
            seen.add(&consent, consent::unread(&signals), UnixMillis(1_795_608_000_000));
        }
        let counts = BTreeMap::from([((DecisionKind::Denied, Reason::ConsentUnknown), 2)]);
        let mut html = String::new();
        warnings(&mut html, &seen, &counts);
        table(&mut html, &seen);
        assert!(html.contains("2 accepted submissions were not sent"));
        assert!(html.contains("<code>my_consent</code>. If one"));
        assert!(html.contains("<code>cookieyes</code><td class=n>0<td class=n>1<td class=n>0<td>2026-11-25T"));
        assert!(html.contains("advertisement:no") && html.contains("<td>none<td><td><td class=n>2"));
    }
}
