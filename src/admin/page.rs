//! The status page: is it running, what did it decide, is anything stuck. No script, no contact data.

use std::fmt::Write as _;

use super::consent;
use crate::exchange::UnixMillis;
use crate::intake::{Coverage, Report, Reports};
use crate::lead::coverage::KEYS;
use crate::metrics::Sample;
use crate::reason::DecisionKind;

/// What the configuration says, for the top of the page.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Label and value.
    pub rows: Vec<(&'static str, String)>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1b2430;\
background:#fafbfc}h1{font-size:1.3rem}h2{font-size:1.05rem;margin-top:2rem}table{border-collapse:collapse;width:100%;\
background:#fff}th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #e3e8ee;vertical-align:top}\
th{font-weight:600;color:#5a6675}td.n{text-align:right;font-variant-numeric:tabular-nums}.scroll{overflow-x:auto}\
.lead{color:#0a7a3d;font-weight:600}.denied,.skipped{color:#a05a00;font-weight:600}code{font-size:.9em}\
.warn{background:#fff6e5;border-left:3px solid #e0a000;padding:.4rem .8rem}.empty{color:#5a6675}";

/// The page.
#[must_use]
pub fn render(facts: &Facts, samples: &[Sample], reports: &Reports) -> String {
    let mut out = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <meta http-equiv=refresh content=10><title>capi-sidecar</title><style>{STYLE}</style><h1>capi-sidecar {}</h1>",
        env!("CARGO_PKG_VERSION")
    );
    for warning in &facts.warnings {
        let _ = write!(out, "<p class=warn>{}</p>", escape(warning));
    }
    out.push_str("<table>");
    for (label, value) in &facts.rows {
        let _ = write!(out, "<tr><th>{label}<td>{}", escape(value));
    }
    out.push_str("</table>");
    let (counts, seen) = (reports.counts(), reports.consent());
    consent::warnings(&mut out, &seen, &counts);
    out.push_str("<h2>Decisions since start</h2>");
    if counts.is_empty() {
        out.push_str("<p class=empty>No form has been posted yet.</p>");
    } else {
        out.push_str("<table><tr><th>decision<th>reason<th>count");
        for ((kind, reason), count) in counts {
            let _ = write!(out, "<tr><td class={kind}>{kind}<td>{reason}<td class=n>{count}");
        }
        out.push_str("</table>");
    }
    consent::table(&mut out, &seen);
    coverage(&mut out, &reports.coverage());
    out.push_str("<h2>Latest</h2>");
    let recent = reports.recent();
    if recent.is_empty() {
        out.push_str("<p class=empty>Nothing yet.</p>");
    } else {
        out.push_str(
            "<div class=scroll><table><tr><th>time<th>page<th>decision<th>reason<th>handler<th>consent<th>fields<th>clicks<th>event_id",
        );
        for report in &recent {
            row(&mut out, report);
        }
        out.push_str("</table></div>");
    }
    out.push_str("<h2>Counters</h2><table>");
    for sample in samples {
        let _ = write!(
            out,
            "<tr><td>{}<td><code>{}</code><td class=n>{}",
            escape(sample.help.trim()),
            sample.name,
            sample.value
        );
    }
    out.push_str("</table></html>");
    out
}

/// The share of leads with each key, the weightiest first, and what to do where less than half have it.
fn coverage(out: &mut String, coverage: &Coverage) {
    if coverage.leads == 0 {
        return;
    }
    let _ = write!(
        out,
        "<h2>Match-key coverage of {} leads</h2><p>What Meta can match by. This is not Meta's Event Match Quality, which \
         depends on what it really matched.</p><div class=scroll><table><tr><th>key<th><th>priority<th>leads with it<th>",
        coverage.leads
    );
    for key in KEYS {
        let count = coverage.keys.get(key.name).copied().unwrap_or_default();
        let percent = count * 100 / coverage.leads;
        let advice = if percent < 50 { key.advice } else { "" };
        let _ = write!(
            out,
            "<tr><td><code>{}</code><td>{}<td>{}<td class=n>{percent} %<td>{}",
            key.name,
            key.label,
            key.priority.word(),
            escape(advice)
        );
    }
    out.push_str("</table></div>");
}

fn row(out: &mut String, report: &Report) {
    let consent = report.consent.as_ref().map_or(String::new(), |(state, why)| format!("{state}: {why}"));
    let mut reason = report.reason.code().to_owned();
    if !report.durable && report.kind == DecisionKind::Lead {
        reason.push_str(" (waits in memory: the store refuses)");
    }
    let _ = write!(
        out,
        "<tr><td>{}<td>{}{}<td class={kind}>{kind}<td>{}<td>{}<td>{}<td>{}<td>{}<td><code>{}</code>",
        clock(report.at),
        escape(&report.host),
        escape(&report.path),
        escape(&reason),
        report.handler,
        escape(&consent),
        report.roles.join(", "),
        escape(&report.click_ids.join(" ")),
        escape(report.event_id.as_deref().unwrap_or_default()),
        kind = report.kind,
    );
}

/// A time to the second.
pub(super) fn clock(at: UnixMillis) -> String {
    let time = i64::try_from(at.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or(String::new(), |time| format!("{time:.0}"))
}

pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Reason;

    #[test]
    fn coverage_is_shown_by_weight_with_advice_for_what_is_missing() {
        let reports = Reports::default();
        assert!(!render(&Facts::default(), &[], &reports).contains("coverage"));
        for keys in [vec!["em", "ph"], vec!["em"], vec!["em", "fbc"]] {
            let mut report = Report::note("shop.example", "/", Reason::Accepted);
            report.kind = DecisionKind::Lead;
            report.match_keys = keys;
            reports.add(report);
        }
        let html = render(&Facts::default(), &[], &reports);
        assert!(html.contains("Match-key coverage of 3 leads"));
        assert!(html.contains("<code>em</code><td>e-mail address<td>High<td class=n>100 %<td><tr>"));
        assert!(html.contains("<code>ph</code><td>phone number<td>Medium<td class=n>33 %<td>Ask for it;"));
    }

    #[test]
    fn what_a_visitor_controls_is_escaped() {
        let reports = Reports::default();
        reports.add(Report::note("<b>", "/<script>alert(1)</script>?secret=1", Reason::NotAForm));
        let html = render(&Facts::default(), &[], &reports);
        assert!(!html.contains("<script>") && !html.contains("<b>"));
        assert!(!html.contains("secret"));
        assert!(html.contains("/&lt;script&gt;"));
    }
}
