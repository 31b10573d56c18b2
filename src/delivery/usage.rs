//! What Graph's headers say of its quota.
//! <https://developers.facebook.com/docs/graph-api/overview/rate-limiting>

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use super::retry;

const BUSINESS: &str = "x-business-use-case-usage";
const USAGE: [&str; 3] = [BUSINESS, "x-app-usage", "x-ad-account-usage"];
/// Figures of these headers that are percentages of a quota; at 100 calls are throttled.
const PERCENTAGES: [&str; 4] = ["call_count", "total_cputime", "total_time", "acc_id_util_pct"];
/// From here on the quota is nearly used up.
const NEARLY: f64 = 95.0;

/// `Retry-After` in seconds, or the minutes until access comes back that the usage header estimates.
pub fn asked_to_wait(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let minutes = || {
        let usage = read(headers, BUSINESS)?;
        let cases = usage.as_object()?.values().filter_map(Value::as_array).flatten();
        cases.filter_map(|case| case["estimated_time_to_regain_access"].as_u64()).max().filter(|minutes| *minutes > 0)
    };
    seconds.or_else(|| minutes().map(|minutes| minutes.saturating_mul(60))).map(retry::asked)
}

/// Whether a throttle is near.
pub fn is_nearly_used_up(headers: &HeaderMap) -> bool {
    USAGE.iter().filter_map(|name| read(headers, name)).any(|usage| has_full_figure(&usage))
}

fn read(headers: &HeaderMap, name: &str) -> Option<Value> {
    serde_json::from_str(headers.get(name)?.to_str().ok()?).ok()
}

/// The headers nest the same figures differently.
fn has_full_figure(usage: &Value) -> bool {
    match usage {
        Value::Object(map) => map.iter().any(|(key, value)| {
            (PERCENTAGES.contains(&key.as_str()) && value.as_f64().is_some_and(|percent| percent >= NEARLY))
                || has_full_figure(value)
        }),
        Value::Array(list) => list.iter().any(has_full_figure),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
    }

    #[test]
    fn graph_can_ask_for_a_pause_in_two_ways() {
        assert_eq!(asked_to_wait(&headers("retry-after", "7")), Some(Duration::from_secs(7)));
        let usage = r#"{"1":[{"call_count":100,"estimated_time_to_regain_access":2}],"2":[{"call_count":1}]}"#;
        assert_eq!(asked_to_wait(&headers(BUSINESS, usage)), Some(Duration::from_secs(120)));
        let long = r#"{"1":[{"estimated_time_to_regain_access":18446744073709551615}]}"#;
        assert_eq!(asked_to_wait(&headers(BUSINESS, long)), Some(retry::asked(u64::MAX)));
        for (name, value) in [("retry-after", "soon"), (BUSINESS, "{"), (BUSINESS, "[]"), ("x-other", "1")] {
            assert_eq!(asked_to_wait(&headers(name, value)), None);
        }
    }

    #[test]
    fn a_quota_that_is_nearly_used_up_shows_before_the_throttle() {
        for (name, value, nearly) in [
            ("x-app-usage", r#"{"call_count":28,"total_time":25,"total_cputime":95}"#, true),
            ("x-app-usage", r#"{"call_count":94,"total_time":94,"total_cputime":94.9}"#, false),
            ("x-app-usage", r#"{"call_count":100}"#, true),
            ("x-ad-account-usage", r#"{"acc_id_util_pct":95.5,"reset_time_duration":100}"#, true),
            ("x-ad-account-usage", r#"{"acc_id_util_pct":9.67,"reset_time_duration":100}"#, false),
            (BUSINESS, r#"{"1":[{"type":"ads_management","call_count":10},{"type":"x","total_time":99}]}"#, true),
            (BUSINESS, r#"{"1":[{"call_count":1,"estimated_time_to_regain_access":99}]}"#, false),
            (BUSINESS, "100", false),
            ("x-other", r#"{"call_count":100}"#, false),
        ] {
            assert_eq!(is_nearly_used_up(&headers(name, value)), nearly, "{name}: {value}");
        }
    }
}
