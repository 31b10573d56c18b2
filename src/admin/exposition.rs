//! Prometheus text format (version 0.0.4). The counters are sums made at this moment, so a client library's registry
//! would be bypassed for every one of them; the format itself is these few lines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::intake::Coverage;
use crate::metrics::{Kind, Sample};
use crate::reason::{DecisionKind, Reason};

/// All samples, and the decisions by kind and reason. Labels are fixed words, so there is nothing to escape.
#[must_use]
pub fn render(samples: &[Sample], decisions: &BTreeMap<(DecisionKind, Reason), u64>, coverage: &Coverage) -> String {
    let mut out = String::new();
    for sample in samples {
        let kind = if sample.kind == Kind::Counter { "counter" } else { "gauge" };
        let _ =
            writeln!(out, "# HELP {0} {1}\n# TYPE {0} {kind}\n{0} {2}", sample.name, sample.help.trim(), sample.value);
    }
    out.push_str("# HELP capi_decisions_total Decisions on POSTs.\n# TYPE capi_decisions_total counter\n");
    for ((kind, reason), count) in decisions {
        let _ = writeln!(out, "capi_decisions_total{{decision=\"{kind}\",reason=\"{reason}\"}} {count}");
    }
    if !coverage.keys.is_empty() {
        let help = "Leads that carry a match key; divide by capi_decisions_total{decision=\"lead\"}.";
        let _ = writeln!(out, "# HELP capi_lead_match_keys_total {help}\n# TYPE capi_lead_match_keys_total counter");
    }
    for (key, count) in &coverage.keys {
        let _ = writeln!(out, "capi_lead_match_keys_total{{key=\"{key}\"}} {count}");
    }
    if !coverage.unusable.is_empty() {
        out.push_str(
            "# HELP capi_unusable_values_total Contact values of leads that could not be used and were left out.\n",
        );
        out.push_str("# TYPE capi_unusable_values_total counter\n");
    }
    for ((key, reason), count) in &coverage.unusable {
        let _ = writeln!(out, "capi_unusable_values_total{{key=\"{key}\",reason=\"{reason}\"}} {count}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_and_decisions_are_rendered_as_prometheus_reads_them() {
        let none = Coverage::default();
        let samples = [Sample { name: "capi_x", help: " Things.", kind: Kind::Gauge, value: 3 }];
        let decisions = BTreeMap::from([((DecisionKind::NoLead, Reason::Search), 2)]);
        assert_eq!(
            render(&samples, &decisions, &none),
            "# HELP capi_x Things.\n# TYPE capi_x gauge\ncapi_x 3\n\
             # HELP capi_decisions_total Decisions on POSTs.\n# TYPE capi_decisions_total counter\n\
             capi_decisions_total{decision=\"no_lead\",reason=\"search\"} 2\n"
        );
    }
}
