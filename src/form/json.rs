//! JSON bodies → fields with the names PHP would give them: `{"a":{"b":[1]}}` is `a[b][0]=1`.

use serde_json::Value;

use super::body::{Fields, MAX_NAME, Malformed};

/// Decodes a JSON body. Nesting is bounded by the parser (128 levels; deeper is malformed).
pub(super) fn decode(body: &[u8]) -> Result<Fields, Malformed> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let value = serde_json::from_slice(body).map_err(|_| Malformed)?;
    let mut fields = Fields::default();
    flatten(&mut String::new(), &value, &mut fields);
    Ok(fields)
}

/// The same, if the body is an object at all.
pub(super) fn decode_object(body: &[u8]) -> Option<Fields> {
    let body = body.trim_ascii();
    if !(body.starts_with(b"{") && body.ends_with(b"}")) {
        return None;
    }
    decode(body).ok()
}

/// `false` when enough fields were taken.
fn flatten(name: &mut String, value: &Value, fields: &mut Fields) -> bool {
    if name.len() > MAX_NAME {
        // Not descended into: a huge key would be copied for each of its members.
        fields.truncated = true;
        return true;
    }
    match value {
        Value::Null => true,
        Value::Bool(yes) => fields.push(name.clone(), yes.to_string()),
        Value::Number(number) => fields.push(name.clone(), number.to_string()),
        Value::String(text) => fields.push(name.clone(), text.clone()),
        Value::Array(items) => items.iter().enumerate().all(|(index, item)| match named(item) {
            Some((own_name, value)) => nested(name, own_name, value, fields),
            None => nested(name, &index.to_string(), item, fields),
        }),
        Value::Object(members) => members.iter().all(|(key, item)| nested(name, key, item, fields)),
    }
}

fn nested(name: &mut String, key: &str, value: &Value, fields: &mut Fields) -> bool {
    let length = name.len();
    if name.is_empty() {
        name.push_str(key);
    } else {
        name.push('[');
        name.push_str(key);
        name.push(']');
    }
    let more = flatten(name, value, fields);
    name.truncate(length);
    more
}

/// `{"name":"email","value":"…"}`: how jQuery's `serializeArray` and many form services list their fields.
fn named(item: &Value) -> Option<(&str, &Value)> {
    let name = item.get("name")?.as_str()?;
    let value = item.get("value")?;
    (!value.is_object() && !value.is_array()).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(json: &str) -> Vec<String> {
        decode(json.as_bytes()).unwrap().list.into_iter().map(|f| format!("{}={}", f.name, f.value)).collect()
    }

    #[test]
    fn nesting_becomes_brackets_and_scalars_become_text() {
        let json = r#"{"email":"a@example.com","n":1,"ok":true,"none":null,"a":{"b":[2,{"c":"d"}]}}"#;
        let mut fields = flat(json);
        fields.sort();
        assert_eq!(fields, ["a[b][0]=2", "a[b][1][c]=d", "email=a@example.com", "n=1", "ok=true"]);
    }

    #[test]
    fn lists_of_names_and_values_are_fields() {
        let json = r#"{"fields":[{"name":"email","value":"a@example.com"},{"name":"n","value":[1]}]}"#;
        assert_eq!(flat(json), ["fields[email]=a@example.com", "fields[1][name]=n", "fields[1][value][0]=1"]);
    }

    #[test]
    fn bottomless_nesting_is_malformed() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        assert!(matches!(decode(deep.as_bytes()), Err(Malformed)));
    }

    #[test]
    fn ten_thousand_members_are_cut_and_long_names_left_out() {
        let many: Vec<_> = (0..10_000).map(|i| format!("\"f{i}\":{i}")).collect();
        let fields = decode(format!("{{{}}}", many.join(",")).as_bytes()).unwrap();
        assert!(fields.truncated && fields.list.len() == super::super::body::MAX_FIELDS);
        let fields = decode(format!("{{\"{}\":1,\"b\":2}}", "n".repeat(5000)).as_bytes()).unwrap();
        assert!(fields.truncated && fields.list.len() == 1);
    }
}
