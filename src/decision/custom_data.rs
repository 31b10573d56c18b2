//! `custom_data` from a `[[form]]` rule: constants, and fields that the operator maps by name. Never contact data.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::FormRule;
use crate::form::body::Fields;
use crate::form::roles::Roles;
use crate::lead::data_key::DataKey;
use crate::lead::event::is_contact_like;

/// Longest text taken from a field: a choice or a headline, not a message.
const MAX_TEXT: usize = 200;

/// What fields say by their names, then the rule's constants and the fields it names.
pub fn of(rule: Option<&FormRule>, roles: &Roles, fields: &Fields) -> BTreeMap<String, Value> {
    let mut data = BTreeMap::new();
    for (key, text) in &roles.data {
        match key {
            DataKey::Value => put_amount(&mut data, text),
            DataKey::Currency => put(&mut data, key.name(), &text.trim().to_ascii_uppercase()),
            _ => put(&mut data, key.name(), text),
        }
    }
    if let Some(rule) = rule {
        if let Some(currency) = &rule.currency {
            data.insert("currency".to_owned(), Value::from(currency.as_str()));
        }
        if let Some(value) = rule.value {
            data.insert("value".to_owned(), Value::from(value));
        }
        let named = [("content_name", &rule.content_name), ("lead_qualification", &rule.lead_qualification)];
        let named = named.into_iter().filter_map(|(key, source)| Some((key, source.as_ref()?)));
        let free = rule.custom_data.iter().map(|(key, source)| (key.as_str(), source));
        for (key, source) in named.chain(free) {
            let text = match source.strip_prefix("field:") {
                None => Some(source.as_str()),
                Some(name) => fields.get(name).map(str::trim).filter(|value| !value.is_empty()),
            };
            match text {
                Some(text) if key == "value" => put_amount(&mut data, text),
                Some(text) => put(&mut data, key, text),
                None => {}
            }
        }
    }
    // Meta refuses an event with a value and no currency.
    if !data.contains_key("currency") {
        data.remove("value");
    }
    data
}

fn put(data: &mut BTreeMap<String, Value>, key: &str, text: &str) {
    // A field that turns out to hold an address or a number is left out: custom_data travels unhashed.
    if !is_contact_like(text) {
        data.insert(key.to_owned(), Value::from(text.chars().take(MAX_TEXT).collect::<String>()));
    }
}

fn put_amount(data: &mut BTreeMap<String, Value>, text: &str) {
    if let Some(amount) = amount(text) {
        data.insert("value".to_owned(), Value::from(amount));
    }
}

/// `1.234,50`, `1,234.50`, `35`, `35.0`: the last separator is the decimal one unless three digits follow it.
fn amount(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let plain = text.len() <= 20
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | ' ' | '\''));
    if !plain {
        return None;
    }
    let number = match text.rfind(['.', ',']).and_then(|at| Some((text.get(..at)?, text.get(at + 1..)?))) {
        Some((whole, part)) if (1..=2).contains(&part.len()) => format!("{}.{part}", digits(whole)),
        _ => digits(text),
    };
    number.parse::<f64>().ok().filter(|amount| amount.is_finite())
}

#[cfg(test)]
mod tests {
    use super::amount;

    #[test]
    fn amounts_are_read_in_the_spellings_of_europe_and_america() {
        for (text, value) in [
            ("35", Some(35.0)),
            ("35.5", Some(35.5)),
            ("1.234,50", Some(1234.5)),
            ("1,234.50", Some(1234.5)),
            ("12.000", Some(12000.0)),
            ("1'000", Some(1000.0)),
            ("-5", None),
            ("EUR 5", None),
            ("five", None),
            ("", None),
        ] {
            assert_eq!(amount(text), value, "{text}");
        }
    }
}
