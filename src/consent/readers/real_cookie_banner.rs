//! Real Cookie Banner: `real_cookie_banner-<site>`, `time:uuid:hash:{"d":{group:[services]},"bc":button}`, and with Google's
//! consent mode the same name with `-gcm`, a list of purposes. `-tcf` is the TCF reader's, `-test` a probe.
//!
//! Services and groups are numbers that differ from site to site. `bc` says which button was clicked; `implicit_…` is
//! nobody's click: that the banner is not shown in the visitor's country. Without a rule, a click on "accept all" counts
//! where advertising was among what was asked; after a choice one by one, the purposes are those of Google's services
//! and say nothing about Meta's.

use serde_json::Value;

use super::lists::texts;
use super::{Name, Reader};
use crate::config::ConsentRule;
use crate::consent::Signals;
use crate::consent::decode::layers;
use crate::consent::finding::{Choice, Finding, agreed};

pub const READER: Reader = Reader::banner("real_cookie_banner", &[Name::Begins(PREFIX)], read);

const PREFIX: &str = "real_cookie_banner";
/// What Google's consent mode calls advertising with the visitor's data.
const ADVERTISING: [&str; 2] = ["ad_storage", "ad_user_data"];
const ALL: [&str; 2] = ["main_all", "ind_all"];
const SOME: [&str; 3] = ["main_custom", "ind_custom", "unblock"];
const ESSENTIAL: [&str; 4] = ["main_essential", "main_close_icon", "ind_essential", "ind_close_icon"];

/// What one decision says.
struct Decision {
    services: Vec<u64>,
    button: String,
}

fn read(signals: &Signals<'_>, rule: &ConsentRule) -> Option<Finding> {
    let prefix = rule.name.as_deref().unwrap_or(PREFIX);
    let own = || signals.cookies().filter(|(name, _)| name.starts_with(prefix));
    let ending = |end: &'static str| own().filter(move |(name, _)| name.ends_with(end)).map(|(_, raw)| raw);
    let is_decision = |name: &str| !["-tcf", "-gcm", "-test"].iter().any(|end| name.ends_with(end));
    let purposes = agreed(ending("-gcm").map(of_purposes));
    let has_tc_string = ending("-tcf").next().is_some();
    let mut decisions = own().filter(|(name, _)| is_decision(name)).map(|(_, raw)| raw).peekable();
    if decisions.peek().is_none() {
        return purposes.map(|purposes| match purposes.choice {
            Choice::Granted => Finding::no_choice("purposes without a decision"),
            _ => purposes,
        });
    }
    agreed(decisions.filter_map(|raw| match (Decision::parse(raw), &rule.category) {
        (None, _) => Some(Finding::undecodable("real_cookie_banner")),
        (Some(decision), Some(service)) => Some(decision.on(service)),
        (Some(decision), None) => decision.on_advertising(purposes.as_ref(), has_tc_string),
    }))
}

impl Decision {
    /// Versions before the button was kept wrote the groups alone.
    fn parse(raw: &str) -> Option<Self> {
        let json = layers(raw).find_map(|layer| {
            let (_, json) = layer.split_at_checked(layer.find('{')?)?;
            match serde_json::from_str(json) {
                Ok(Value::Object(object)) => Some(object),
                _ => None,
            }
        })?;
        let button = json.get("bc").and_then(Value::as_str);
        let groups = if button.is_some() { json.get("d")?.as_object()? } else { &json };
        let services = groups.values().filter_map(Value::as_array).flatten().filter_map(Value::as_u64).collect();
        Some(Self { services, button: button.unwrap_or("none").to_owned() })
    }

    fn is(&self, buttons: &[&str]) -> bool {
        buttons.contains(&self.button.as_str())
    }

    /// On the service with that number.
    fn on(&self, service: &str) -> Finding {
        let Ok(number) = service.parse::<u64>() else { return Finding::undecodable("the rule's number of a service") };
        match self.unclicked() {
            Some(unclicked) if self.is_implicit() || self.services.contains(&number) => unclicked,
            None if self.services.contains(&number) => Finding::granted(format!("{service} is listed")),
            _ => Finding::denied(format!("{service} is not listed")),
        }
    }

    /// `None` where the TC string tells.
    fn on_advertising(&self, purposes: Option<&Finding>, has_tc_string: bool) -> Option<Finding> {
        if self.is(&ESSENTIAL) {
            return Some(Finding::denied("only essential services"));
        }
        if let Some(unclicked) = self.unclicked() {
            return Some(unclicked);
        }
        match purposes {
            Some(purposes) if self.is(&ALL) || purposes.choice != Choice::Granted => Some(purposes.clone()),
            None if self.is(&ALL) && has_tc_string => None,
            _ => Some(Finding::unassigned("no service for Meta is known")),
        }
    }

    fn is_implicit(&self) -> bool {
        self.button.starts_with("implicit_")
    }

    /// Unless a button was clicked that can say yes to a service.
    fn unclicked(&self) -> Option<Finding> {
        let evidence = if self.is_implicit() { "nobody was asked" } else { "no button is named" };
        (!self.is(&ALL) && !self.is(&SOME)).then(|| Finding::no_choice(evidence))
    }
}

fn of_purposes(raw: &str) -> Finding {
    let list = layers(raw).find_map(|layer| serde_json::from_str::<Value>(&layer).ok());
    let Some(purposes) = list.as_ref().and_then(texts) else { return Finding::undecodable("real_cookie_banner-gcm") };
    match ADVERTISING.into_iter().find(|purpose| !purposes.contains(purpose)) {
        Some(purpose) => Finding::denied(format!("{purpose} is not listed")),
        None => Finding::granted("ad_storage and ad_user_data are listed"),
    }
}
