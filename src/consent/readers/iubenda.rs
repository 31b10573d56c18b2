//! iubenda: `_iub_cs-<policy>`, percent-encoded JSON with `purposes`; `5` is marketing.
//!
//! There before the choice as well, then with no more than its `id`. A banner without purposes asks one question and
//! writes `consent`. Each language can have a policy, and a cookie, of its own. `-uspr` beside it holds what US law
//! asks for, true before anybody acted: there only a false counts. What no server can see: old settings that took
//! scrolling for a yes.

use serde_json::Value;

use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::object;
use crate::consent::finding::{Finding, strictest};

pub const READER: Reader = Reader::banner("iubenda", &[Name::Begins("_iub_cs-")], read);

/// Sale, sharing, targeted advertising.
const US_RIGHTS: [&str; 3] = ["s", "sh", "adv"];

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let purpose = rule.category.as_deref().unwrap_or("5");
    strictest(signals.cookies().filter_map(|(name, raw)| match &rule.name {
        Some(renamed) if renamed == name => Some(judge(raw, purpose)),
        _ => match name.strip_prefix("_iub_cs-")? {
            policy if is_policy(policy) => Some(judge(raw, purpose)),
            more if more.ends_with("-uspr") => us_refusal(raw),
            _ => None,
        },
    }))
}

/// `12345678`, or `s1234567` for a site's policy.
fn is_policy(name: &str) -> bool {
    let number = name.strip_prefix('s').unwrap_or(name);
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

fn judge(raw: &str, purpose: &str) -> Finding {
    let Some(cookie) = object(raw) else { return Finding::undecodable("_iub_cs") };
    let whole = cookie.get("consent").and_then(Value::as_bool);
    match cookie.get("purposes") {
        Some(Value::Object(purposes)) => {
            if whole == Some(false) {
                return Finding::of_bool("consent", whole);
            }
            Finding::of_bool(purpose, purposes.get(purpose).and_then(Value::as_bool))
        }
        Some(_) => Finding::undecodable("_iub_cs"),
        None if whole.is_some() => Finding::of_bool("consent", whole),
        None => Finding::no_choice("no purposes"),
    }
}

fn us_refusal(raw: &str) -> Option<Finding> {
    let rights = object(raw)?;
    let refused = |right: &&str| rights.get(*right).and_then(Value::as_bool) == Some(false);
    US_RIGHTS.iter().find(|right| refused(right)).map(|right| Finding::denied(format!("uspr {right}:false")))
}
