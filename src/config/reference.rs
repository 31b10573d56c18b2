//! What is written about the settings, made from the table: the reference in the README and the JSON schema.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::table::{CONSENT_HOST, CONSENT_RULE, FORM, Kind, PIXEL, SETTINGS, SUCCESS, Setting};

/// The reference as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::from("| Key in the file | Flag | Environment | Default | Meaning |\n|---|---|---|---|---|\n");
    for setting in SETTINGS {
        let key = if setting.is_pixel_shorthand() { String::from("–") } else { shown_key(setting) };
        let flag = setting.flag_name().map_or_else(|| String::from("–"), |flag| format!("`--{flag}`"));
        let env = setting.env_name().map_or_else(|| String::from("–"), |env| format!("`{env}`"));
        let _ = writeln!(out, "| {key} | {flag} | {env} | {} | {} |", shown_default(setting), meaning(setting));
    }
    for (title, rows) in [
        ("[[pixel]]", PIXEL),
        ("[[consent.rule]]", CONSENT_RULE),
        ("[[consent.host]]", CONSENT_HOST),
        ("[[form]]", FORM),
        ("success of [[form]]", SUCCESS),
    ] {
        let _ = writeln!(out, "\n`{title}`\n\n| Key | Default | Meaning |\n|---|---|---|");
        for setting in rows {
            let _ = writeln!(out, "| `{}` | {} | {} |", setting.key, shown_default(setting), meaning(setting));
        }
    }
    out
}

fn shown_key(setting: &Setting) -> String {
    match setting.kind {
        Kind::Tables(_) => format!("`[[{}]]`", setting.key),
        _ => format!("`{}`", setting.key),
    }
}

fn shown_default(setting: &Setting) -> String {
    if setting.default.is_empty() { String::from("–") } else { format!("`{}`", setting.default) }
}

fn meaning(setting: &Setting) -> String {
    let choice = match setting.kind {
        Kind::Choice(words) => format!(" One of `{}`.", words.join("`, `")),
        _ => String::new(),
    };
    format!("{}{choice}", setting.help)
}

/// JSON schema (draft 2020-12) of the file.
#[must_use]
pub fn json_schema() -> Value {
    let mut root = object(&[]);
    for setting in SETTINGS.iter().filter(|s| !s.is_pixel_shorthand()) {
        let mut parts: Vec<_> = setting.key.split('.').collect();
        let Some(last) = parts.pop() else { continue };
        let mut node = &mut root;
        for part in parts {
            node = &mut node["properties"][part];
            if node.is_null() {
                *node = object(&[]);
            }
        }
        node["properties"][last] = schema(setting);
    }
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("capi-sidecar configuration");
    root
}

fn object(rows: &[Setting]) -> Value {
    let properties: Map<String, Value> = rows.iter().map(|row| (row.key.to_owned(), schema(row))).collect();
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

fn schema(setting: &Setting) -> Value {
    let mut schema = of_kind(setting.kind);
    schema["description"] = json!(setting.help);
    if !setting.default.is_empty() {
        schema["default"] = match setting.kind {
            Kind::Bool => json!(setting.default == "true"),
            Kind::Integer { .. } => json!(setting.default.parse::<u64>().unwrap_or_default()),
            _ => json!(setting.default),
        };
    }
    schema
}

fn of_kind(kind: Kind) -> Value {
    match kind {
        Kind::Text | Kind::Secret | Kind::Path | Kind::Duration | Kind::Address => json!({"type": "string"}),
        Kind::Size => json!({"type": ["string", "integer"]}),
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Integer { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Kind::Number => json!({"type": "number"}),
        Kind::Choice(words) => json!({"type": "string", "enum": words}),
        Kind::List(inner) => json!({"type": "array", "items": of_kind(*inner)}),
        Kind::Map => json!({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}),
        Kind::Table(rows) => object(rows),
        Kind::Tables(rows) => json!({"type": "array", "items": object(rows)}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_knows_nested_keys_and_refuses_others() {
        let schema = json_schema();
        assert_eq!(schema["properties"]["limits"]["properties"]["queue"]["minimum"], 1);
        assert_eq!(schema["properties"]["form"]["items"]["properties"]["success"]["type"], "object");
        assert_eq!(schema["properties"]["consent"]["additionalProperties"], false);
        assert!(schema["properties"]["pixel"]["items"]["properties"]["id"].is_object());
    }
}
