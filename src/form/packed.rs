//! Fields that travel inside another field: scripts serialise a form and send the text as one value, urlencoded or as JSON,
//! in a body that is itself either.

use super::body::{Fields, MAX_FIELDS};
use super::json;
use super::names::last_bracket;

/// Names under which scripts pack a form.
const PACKING: &[&str] =
    &["data", "form", "formdata", "form_data", "fields", "payload", "serialized", "values", "params"];

/// Puts what is packed in the place of its package, named as if it were nested: `data=email%3Da%2540b` is `data[email]=a@b`.
/// One level; what is packed again stays so. `None`: nothing is packed.
pub(super) fn unpack(fields: &Fields) -> Option<Fields> {
    let is_package = |name: &str| PACKING.iter().any(|packing| packing.eq_ignore_ascii_case(name));
    let packed: Vec<_> = fields
        .list
        .iter()
        .filter(|field| is_package(last_bracket(&field.name)))
        .map(|field| (field.name.clone(), inside(&field.value)))
        .filter(|(_, inner)| !inner.is_empty())
        .collect();
    if packed.is_empty() {
        return None;
    }
    let mut fields = fields.clone();
    // Tokens and times in a package would make every repeat another submission.
    fields.list.retain(|field| !packed.iter().any(|(outer, _)| *outer == field.name));
    for (outer, inner) in packed {
        for (name, value) in inner {
            // As the page has it, unless that name is taken.
            if fields.get(&name).is_none() {
                if !fields.push(name, value) {
                    return Some(fields);
                }
                continue;
            }
            let (first, rest) = name.split_once('[').map_or((name.as_str(), None), |(first, rest)| (first, Some(rest)));
            let first = first.trim_end_matches(']');
            let name = rest.map_or_else(|| format!("{outer}[{first}]"), |rest| format!("{outer}[{first}][{rest}"));
            if !fields.push(name, value) {
                return Some(fields);
            }
        }
    }
    Some(fields)
}

fn inside(value: &str) -> Vec<(String, String)> {
    let value = value.trim();
    if value.starts_with(['{', '[']) {
        let fields = json::decode(value.as_bytes()).unwrap_or_default();
        return fields.list.into_iter().map(|field| (field.name, field.value)).collect();
    }
    // Text of people has spaces; what a script serialises has none, and more than one pair or an escape.
    let is_encoded = value.contains('=') && value.contains(['&', '%']) && !value.contains(char::is_whitespace);
    if !is_encoded {
        return Vec::new();
    }
    form_urlencoded::parse(value.as_bytes())
        .take(MAX_FIELDS)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::body::decode;

    const FORM: &str = "application/x-www-form-urlencoded";

    fn fields(content_type: &str, body: &str, unpacked: bool) -> Vec<String> {
        let mut fields = decode(content_type, body.as_bytes(), None).unwrap();
        if unpacked && let Some(inner) = unpack(&fields) {
            fields = inner;
        }
        fields.list.into_iter().map(|field| format!("{}={}", field.name, field.value)).collect()
    }

    #[test]
    fn each_format_is_unpacked_from_each() {
        let json = "application/json";
        for (content_type, body, expected) in [
            (
                FORM,
                "action=x&data=name%3DAna%26email%3Dana%2540example.com",
                vec!["action=x", "name=Ana", "email=ana@example.com"],
            ),
            (FORM, "formData=%7B%22email%22%3A%22a%40example.com%22%7D", vec!["email=a@example.com"]),
            (
                json,
                r#"{"data":"user%5Bemail%5D=a%40example.com&n=1","n":2}"#,
                vec!["n=2", "user[email]=a@example.com", "data[n]=1"],
            ),
            (json, r#"{"payload":"{\"a\":{\"b\":1}}"}"#, vec!["a[b]=1"]),
            (json, r#"{"params":{"fields":"a=1&b=2"}}"#, vec!["a=1", "b=2"]),
        ] {
            assert_eq!(fields(content_type, body, true), expected, "{body}");
        }
    }

    #[test]
    fn what_people_write_is_not_unpacked() {
        for body in ["data=a+%3D+b+%26+c", "message=a%3Db%26c%3Dd", "data=hello", "data=%7Bnot+json", "data=x%3D1"] {
            assert_eq!(fields(FORM, body, true), fields(FORM, body, false), "{body}");
        }
    }
}
