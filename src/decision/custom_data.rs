//! `custom_data` from a `[[form]]` rule: constants, and fields that the operator maps by name. Never contact data.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::FormRule;
use crate::form::body::Fields;
use crate::lead::event::is_contact_like;

/// Longest text taken from a field: a choice or a headline, not a message.
const MAX_TEXT: usize = 200;

/// The rule's constants and the fields it names.
pub fn from_rule(rule: &FormRule, fields: &Fields) -> BTreeMap<String, Value> {
    let mut data = BTreeMap::new();
    if let Some(currency) = &rule.currency {
        data.insert("currency".to_owned(), Value::from(currency.as_str()));
    }
    if let Some(value) = rule.value {
        data.insert("value".to_owned(), Value::from(value));
    }
    if let Some(name) = &rule.content_name {
        data.insert("content_name".to_owned(), Value::from(name.as_str()));
    }
    for (key, source) in &rule.custom_data {
        let text = match source.strip_prefix("field:") {
            None => Some(source.as_str()),
            Some(name) => {
                let field = fields.list.iter().find(|field| field.name == name);
                field.map(|field| field.value.trim()).filter(|value| !value.is_empty())
            }
        };
        // A field that turns out to hold an address or a number is left out: custom_data travels unhashed.
        if let Some(text) = text.filter(|text| !is_contact_like(text)) {
            data.insert(key.clone(), Value::from(text.chars().take(MAX_TEXT).collect::<String>()));
        }
    }
    data
}
