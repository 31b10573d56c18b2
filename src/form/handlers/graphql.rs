//! GraphQL. Status 200 means that the server understood; `errors`, and what each mutation returns, tell the rest.

use serde_json::Value;

use super::redirect::verdict_of_word;
use super::{Handler, Outcome, Post, Recognised, address, json, machine_word};
use crate::form::answer::Answer;
use crate::form::body::Fields;
use crate::form::words::Words;
use crate::reason::Reason;

pub(super) struct GraphQl;

impl Handler for GraphQl {
    fn name(&self) -> &'static str {
        "graphql"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        let operation = Operation::of(post)?;
        if !operation.is_mutation {
            return Some(Recognised::Never(Reason::NotAForm));
        }
        let never = operation.names().find_map(never).or_else(|| address::of_page(post));
        Some(never.map_or(Recognised::Form(None), Recognised::Never))
    }

    fn fields(&self, post: &Post<'_>) -> Option<Fields> {
        let mut fields = Fields::default();
        for field in &post.fields.list {
            let Some(rest) = field.name.strip_prefix("variables[") else { continue };
            // `input` is what most servers call the one argument of a mutation.
            let rest = rest.strip_prefix("input][").unwrap_or(rest);
            let (first, rest) = rest.split_once(']')?;
            fields.push(format!("{first}{rest}"), field.value.clone());
        }
        Some(fields)
    }

    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if let Some(failure) = Outcome::of_status(answer) {
            return failure;
        }
        if let Err(why) = answer.body() {
            return Outcome::without_body(why);
        }
        let Some(json) = answer.json() else { return Outcome::unknown("answer_not_telling") };
        if json.get("errors").is_some_and(|errors| !errors.as_array().is_some_and(Vec::is_empty)) {
            return Outcome::refused(Reason::Validation, "errors");
        }
        let results = json.get("data").and_then(Value::as_object).filter(|results| !results.is_empty());
        let Some(results) = results else { return Outcome::unknown("no_data") };
        let outcomes: Vec<_> = results.iter().map(|(name, result)| of_result(post, name, result)).collect();
        // All of them must have gone well.
        let worst = |outcome: &Outcome| match outcome {
            Outcome::Refused(..) => 0,
            Outcome::Accepted(_) => 2,
            _ => 1,
        };
        outcomes.into_iter().min_by_key(worst).unwrap_or_else(|| Outcome::unknown("no_data"))
    }

    fn takes_anything(&self, _post: &Post<'_>) -> bool {
        true
    }
}

/// Words of mutations by which visitors write to a site.
const WRITING: &[&str] = &[
    "contact",
    "lead",
    "form",
    "enquiry",
    "inquiry",
    "quote",
    "message",
    "submit",
    "submission",
    "send",
    "request",
    "newsletter",
    "subscribe",
    "appointment",
    "booking",
    "callback",
    "feedback",
];

/// Mutations that carry an address and are no leads.
fn never(name: &str) -> Option<Reason> {
    let words = Words::of(name);
    if words.has(&["cart", "checkout", "order", "basket", "shipping", "billing", "payment"]) {
        Some(Reason::Checkout)
    } else if words.has(&["login", "signin", "token", "password", "session", "account"]) {
        Some(Reason::Login)
    } else if words.has(&["comment", "review"]) {
        Some(Reason::Comment)
    } else {
        words.has(&["unsubscribe"]).then_some(Reason::NotAForm)
    }
}

/// What one mutation returned.
fn of_result(post: &Post<'_>, name: &str, result: &Value) -> Outcome {
    let marker = format!("data.{}", machine_word(name));
    match result {
        Value::Null | Value::Bool(false) => return Outcome::refused(Reason::Validation, marker),
        Value::Object(members) => {
            let kind = members.get("__typename").and_then(Value::as_str).and_then(verdict_of_word);
            // `userErrors`, `fieldErrors`, `validationErrors`: a list of its own beside the result.
            let lists = members.iter().filter(|(key, _)| key.ends_with("rrors"));
            let is_wrong = |(_, list): (&String, &Value)| super::is_filled(Some(list));
            if kind == Some(false) || lists.into_iter().any(is_wrong) {
                return Outcome::refused(Reason::Validation, marker);
            }
        }
        _ => {}
    }
    let said = json::verdict(result);
    if matches!(said, Outcome::Refused(..)) {
        return said;
    }
    // A mutation that returned something was executed; of which kind it is its name must say: `checkEmail` is `true`, too.
    let writes = |name: &str| Words::of(name).has(WRITING);
    let named = Operation::of(post).is_some_and(|operation| operation.names().any(writes));
    match said {
        Outcome::Accepted(_) if named => said,
        _ if named && (result.is_object() || *result == Value::Bool(true)) => Outcome::accepted(marker),
        _ => Outcome::unknown(marker),
    }
}

/// What a request asks for.
struct Operation<'a> {
    is_mutation: bool,
    name: Option<&'a str>,
    /// The names of its outermost fields.
    fields: Vec<&'a str>,
}

impl<'a> Operation<'a> {
    fn of(post: &Post<'a>) -> Option<Self> {
        let is_json = post.request.header("content-type").is_some_and(|value| value.contains("json"));
        let text = post.fields.get("query").filter(|_| is_json)?.trim_start();
        let keyword = text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        let is_document =
            text.contains('{') && matches!(keyword, "mutation" | "query" | "subscription" | "fragment" | "");
        is_document.then(|| Self {
            // A fragment may stand before the operation.
            is_mutation: keyword == "mutation" || (keyword == "fragment" && text.contains("mutation ")),
            name: post.fields.get("operationName"),
            fields: outermost(text),
        })
    }

    fn names(&self) -> impl Iterator<Item = &'a str> {
        self.name.into_iter().chain(self.fields.iter().copied())
    }
}

/// Outermost fields that are looked at.
const MAX_FIELDS: usize = 20;

/// The names at the first level of braces, aliases among them.
fn outermost(document: &str) -> Vec<&str> {
    let (mut braces, mut parentheses) = (0_usize, 0_usize);
    let mut names = Vec::new();
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for (at, char) in document.char_indices() {
        match char {
            '(' => parentheses += 1,
            ')' => parentheses = parentheses.saturating_sub(1),
            '{' if parentheses == 0 => braces += 1,
            '}' if parentheses == 0 => braces = braces.saturating_sub(1),
            _ if braces == 1 && parentheses == 0 && is_of_name(char) => {
                let before = document.get(..at).and_then(|text| text.chars().next_back());
                if before.is_some_and(|c| !is_of_name(c)) && names.len() < MAX_FIELDS {
                    let rest = document.get(at..).unwrap_or_default();
                    names.extend(rest.split(|c| !is_of_name(c)).next());
                }
            }
            _ => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::form::testing::{Case, contact};
    use crate::lead::contact::Key;

    fn ask(query: &str, variables: &Value) -> Case {
        let mut case = Case::post("/graphql", json!({"query": query, "variables": variables}).to_string());
        case.content_type = "application/json";
        case
    }

    fn mutate(field: &str) -> Case {
        let query = format!("mutation M($input: In!) {{ {field}(input: $input) {{ id user {{ cart }} }} }}");
        ask(&query, &json!({"input": {"name": "Ana Ruiz", "email": "ana.ruiz@example.com"}}))
    }

    #[test]
    fn errors_and_the_result_of_each_mutation_decide() {
        for (answer, verdict) in [
            (json!({"data": {"createContact": {"id": "7"}}}), "lead"),
            (json!({"data": {"createContact": {"success": true, "errors": []}}}), "lead"),
            (json!({"data": {"createContact": {"success": false}}}), "validation"),
            (json!({"data": {"createContact": {"contact": null, "userErrors": [{"message": "x"}]}}}), "validation"),
            (json!({"data": {"createContact": {"__typename": "ValidationError"}}}), "validation"),
            (json!({"data": {"createContact": true}}), "lead"),
            (json!({"data": {"createContact": null}}), "validation"),
            (json!({"data": {"createContact": {"id": 1}, "b": {"success": false}}}), "validation"),
            (json!({"errors": [{"message": "x"}], "data": {"createContact": {"id": 1}}}), "validation"),
            (json!({"errors": [{"message": "x"}]}), "validation"),
            (json!({"data": {}}), "unknown_outcome"),
            (json!({"data": null}), "unknown_outcome"),
            (json!([]), "unknown_outcome"),
        ] {
            assert_eq!(mutate("createContact").json(200, &answer.to_string()).verdict(), verdict, "{answer}");
        }
        assert_eq!(mutate("createContact").json(400, "{}").verdict(), "upstream_error");
        assert_eq!(mutate("createContact").html(200, "").verdict(), "unknown_outcome");
        let done = json!({"data": {"touchThing": {"id": 1}}}).to_string();
        assert_eq!(mutate("touchThing").json(200, &done).verdict(), "unknown_outcome");
    }

    #[test]
    fn questions_carts_and_accounts_are_no_leads() {
        let done = r#"{"data":{"x":{"success":true}}}"#;
        for (field, reason) in [
            ("setGuestEmailOnCart", "checkout"),
            ("placeOrder", "checkout"),
            ("generateCustomerToken", "login"),
            ("requestPasswordReset", "login"),
            ("createProductReview", "comment"),
            ("unsubscribe", "not_a_form"),
        ] {
            assert_eq!(mutate(field).json(200, done).verdict(), reason, "{field}");
        }
        let email = json!({"email": "ana@example.com"});
        assert_eq!(ask("query Q { user { id } }", &email).json(200, done).verdict(), "not_a_form");
        assert_eq!(ask("{ contact { id } }", &email).json(200, done).verdict(), "not_a_form");
        assert_eq!(ask("mutation { like { id } }", &json!({"id": 7})).json(200, done).verdict(), "no_contact");
        assert_eq!(ask("shoes for ana@example.com", &json!({})).json(200, done).read().handler, "generic");
    }

    #[test]
    fn the_variables_are_the_fields() {
        let reading = mutate("createContact").json(200, r#"{"data":{"createContact":{"id":1}}}"#).read();
        assert_eq!(reading.handler, "graphql");
        assert_eq!(contact(&reading, Key::Em), Some("ana.ruiz@example.com"));
        assert_eq!(contact(&reading, Key::Ln), Some("Ruiz"));
        let nested = ask("mutation { submitForm }", &json!({"form": {"email": "ana@example.com"}, "a": [1]})).read();
        let names: Vec<_> = nested.fields.list.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["a[0]", "form[email]"]);
    }

    #[test]
    fn documents_are_read_as_far_as_they_go() {
        for (document, names) in [
            (
                "mutation M($a: A = {b: {c: 1}}) { x: sendForm(a: {b: 1}) { ok } other }",
                &["x", "sendForm", "other"][..],
            ),
            ("{}}}}{{{", &[]),
            ("mutation {", &[]),
            ("mutation { \u{e9}a }", &["a"]),
        ] {
            assert_eq!(outermost(document), names, "{document}");
        }
        assert_eq!(outermost(&format!("{{{}}}", "a ".repeat(9000))).len(), MAX_FIELDS);
    }
}
