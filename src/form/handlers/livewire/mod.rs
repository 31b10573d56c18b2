//! Laravel's Livewire, 3 and 4. Every change of a component goes to one address, and every answer is 200.
//!
//! What people typed is in `updates`, or came with an earlier request and is in the component's `snapshot`; what the
//! button does is in `calls`. A component knows which of its fields are wrong and says so in its memo, but not what its
//! methods mean: only those whose names say that something is sent are taken for submissions.

mod component;

use serde_json::Value;

use self::component::{Answered, Component, components};
use super::redirect::is_login_word;
use super::{Handler, Outcome, Post, Recognised, address, form_id, fragment, is_filled, machine_word, redirect};
use crate::form::answer::Answer;
use crate::form::body::Fields;
use crate::form::page::Page;
use crate::form::words::Words;
use crate::reason::Reason;

pub(super) struct Livewire;

impl Handler for Livewire {
    fn name(&self) -> &'static str {
        "livewire"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        post.request.header("x-livewire")?;
        let components = components(post)?;
        let Some(component) = Component::called(&components) else { return Some(Recognised::Never(Reason::Step)) };
        let name = component.memo("name").and_then(Value::as_str).unwrap_or_default();
        let never = address::of_page(post).or_else(|| never(component.method())).or_else(|| of_component_name(name));
        if let Some(reason) = never {
            return Some(Recognised::Never(reason));
        }
        let id = name.replace([':', '.'], "-");
        Some(Recognised::Form(form_id("livewire", id.trim_matches('-'))))
    }

    fn fields(&self, post: &Post<'_>) -> Option<Fields> {
        let components = components(post)?;
        Component::called(&components)?.fields()
    }

    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if answer.status().as_u16() == 419 {
            return Outcome::refused(Reason::Nonce, "status:419");
        }
        if let Some(failure) = Outcome::of_status(answer) {
            return failure;
        }
        if let Err(why) = answer.body() {
            return Outcome::without_body(why);
        }
        let sent = components(post);
        let Some(component) = sent.as_deref().and_then(Component::called) else { return Outcome::unknown("no_call") };
        let own = component.memo("id");
        let answers = answer.json().and_then(|json| json.get("components")?.as_array());
        let mut answers = answers.into_iter().flatten().filter_map(Answered::of);
        let Some(answered) = answers.find(|answered| answered.memo("id") == own && own.is_some()) else {
            return Outcome::unknown("component_not_answered");
        };
        of_component(post, component.method(), &answered)
    }

    fn takes_anything(&self, _post: &Post<'_>) -> bool {
        true
    }
}

/// Words of methods that send something, in the languages that developers name them in.
const SENDING: &[&str] = &[
    "submit",
    "send",
    "save",
    "store",
    "create",
    "subscribe",
    "request",
    "contact",
    "enquire",
    "inquire",
    "apply",
    "signup",
    "register",
    "book",
    "reserve",
    "finish",
    "complete",
    "absenden",
    "senden",
    "speichern",
    "anfragen",
    "enviar",
    "envoyer",
    "invia",
    "verzenden",
    "verstuur",
    "wyslij",
    "skicka",
];

/// Methods that are never a submission.
fn never(method: &str) -> Option<Reason> {
    let words = Words::of(method);
    if words.has(&["login", "authenticate", "logout", "password", "signin"]) || words.joined().contains("resetlink") {
        Some(Reason::Login)
    } else if words.has(&["checkout", "cart", "basket", "order", "pay", "payment"]) {
        Some(Reason::Checkout)
    } else if words.has(&["comment"]) {
        Some(Reason::Comment)
    } else if words.has(&["search", "filter"]) {
        Some(Reason::Search)
    } else if words.has(&["draft"]) {
        Some(Reason::Draft)
    } else if words.has(&["next", "previous", "prev", "back", "step", "validate", "updated", "upload"]) {
        Some(Reason::Step)
    } else {
        None
    }
}

/// Components of people who have an account, or who run the site: `profile.update-form`, `admin.customers.edit`.
fn of_component_name(name: &str) -> Option<Reason> {
    let words = Words::of(name);
    if words.has(&["login", "auth", "password"]) {
        Some(Reason::Login)
    } else {
        words
            .has(&["admin", "dashboard", "filament", "profile", "settings", "account", "user", "users"])
            .then_some(Reason::NotAForm)
    }
}

fn of_component(post: &Post<'_>, method: &str, answered: &Answered<'_>) -> Outcome {
    if is_filled(answered.memo("errors")) {
        return Outcome::refused(Reason::Validation, "memo.errors");
    }
    let effects = answered.effects;
    let events = effects.get("dispatches").and_then(Value::as_array).into_iter().flatten();
    let refused = events.filter_map(|event| {
        let params = event.get("params").unwrap_or(&Value::Null);
        let detail = params.get(0).unwrap_or(params);
        fragment::event(event.get("name")?.as_str()?, detail)
    });
    if let Some(refused) = refused.into_iter().find(|said| matches!(said, Outcome::Refused(..))) {
        return refused;
    }
    // The memo keeps only errors that belong to a property; the component's HTML shows the others.
    let html = effects.get("html").and_then(Value::as_str).unwrap_or_default();
    if Page::parse(html.as_bytes()).invalid_marks > post.before.invalid_marks {
        return Outcome::refused(Reason::Validation, "marked_invalid");
    }
    let call = format!("call:{}", machine_word(method));
    if let Some(to) = effects.get("redirect").and_then(Value::as_str) {
        return redirect::target(post, to).outcome_where_only_success_redirects();
    }
    let sends = Words::of(method).has(SENDING);
    if sends && !is_login_word(method) { Outcome::accepted(call) } else { Outcome::unknown(call) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::form::testing::{Case, contact};
    use crate::lead::contact::Key;

    fn snapshot(data: &Value, errors: &Value) -> String {
        json!({"data": data, "memo": {"id": "c1", "name": "forms.contact-form", "path": "contact", "errors": errors},
            "checksum": "0a"})
        .to_string()
    }

    fn case(data: &Value, updates: &Value, methods: &[&str]) -> Case {
        let calls: Vec<_> = methods.iter().map(|method| json!({"path": "", "method": method, "params": []})).collect();
        let components = json!([{"snapshot": snapshot(data, &json!([])), "updates": updates, "calls": calls}]);
        let mut case = Case::post("/livewire/update", json!({"_token": "t", "components": components}).to_string());
        case.content_type = "application/json";
        case.header("x-livewire", "1")
    }

    fn answered(case: Case, errors: &Value, effects: &Value) -> Case {
        let component = json!({"snapshot": snapshot(&json!({}), errors), "effects": effects});
        case.json(200, &json!({"components": [component], "assets": []}).to_string())
    }

    fn typed() -> Value {
        json!({"email": "ana.ruiz@example.com", "name": "Ana Ruiz"})
    }

    #[test]
    fn a_call_without_errors_is_a_submission() {
        for (errors, effects, verdict) in [
            (json!([]), json!({"html": "<p>Danke</p>", "returns": [null]}), "lead"),
            (json!({}), json!({"redirect": "/thanks"}), "lead"),
            (json!([]), json!({"redirect": "https://shop.example/contact"}), "lead"),
            (json!([]), json!({"redirect": "/login"}), "login"),
            (json!({"email": ["x"]}), json!({"html": "<p>x</p>"}), "validation"),
            (json!({"email": ["x"]}), json!({"redirect": "/thanks"}), "validation"),
            (json!([]), json!({"html": "<p class='error'>x</p>"}), "validation"),
            (json!([]), json!({"dispatches": [{"name": "notify", "params": [{"type": "error"}]}]}), "validation"),
            (json!([]), json!({"dispatches": [{"name": "contact-sent", "params": []}]}), "lead"),
        ] {
            let case = answered(case(&json!({}), &typed(), &["submit"]), &errors, &effects);
            assert_eq!(case.verdict(), verdict, "{errors} {effects}");
        }
        let sent = || case(&json!({}), &typed(), &["submit"]);
        assert_eq!(sent().json(419, "").verdict(), "nonce");
        assert_eq!(sent().json(500, "").verdict(), "upstream_error");
        for odd in ["", "{}", r#"{"components":[{"skip":true,"id":"c1"}]}"#, r#"{"components":[{"snapshot":"{"}]}"#] {
            assert_eq!(sent().json(200, odd).verdict(), "unknown_outcome", "{odd}");
        }
        let other = json!({"components": [{"snapshot": r#"{"memo":{"id":"c2","errors":[]}}"#, "effects": {}}]});
        assert_eq!(sent().json(200, &other.to_string()).verdict(), "unknown_outcome");
    }

    #[test]
    fn what_only_looks_like_a_submission_is_none() {
        for (methods, verdict) in [
            (&[][..], "step"),
            (&["$refresh"][..], "step"),
            (&["$set", "$commit"][..], "step"),
            (&["__dispatch"][..], "step"),
            (&["_startUpload"][..], "step"),
            (&["validateEmail"][..], "step"),
            (&["nextStep"][..], "step"),
            (&["saveDraft"][..], "draft"),
            (&["search"][..], "search"),
            (&["addToCart"][..], "checkout"),
            (&["placeOrder"][..], "checkout"),
            (&["login"][..], "login"),
            (&["sendPasswordResetLink"][..], "login"),
            (&["postComment"][..], "comment"),
            (&["openModal"][..], "unknown_outcome"),
            (&["toggle"][..], "unknown_outcome"),
            (&["validate", "submit"][..], "lead"),
            (&["sendMessage"][..], "lead"),
        ] {
            let case = answered(case(&json!({}), &typed(), methods), &json!([]), &json!({"html": "<p>x</p>"}));
            assert_eq!(case.verdict(), verdict, "{methods:?}");
        }
        let like = answered(case(&json!({}), &json!({}), &["save"]), &json!([]), &json!({}));
        assert_eq!(like.verdict(), "no_contact");
        let forgot = answered(case(&json!({}), &typed(), &["submit"]), &json!([]), &json!({}));
        assert_eq!(forgot.header("referer", "https://shop.example/forgot-password").verdict(), "login");
        for (name, reason) in [("admin.customers.edit", "not_a_form"), ("auth.magic-link", "login")] {
            let mut own = answered(case(&json!({}), &typed(), &["save"]), &json!([]), &json!({}));
            own.body = own.body.replace("forms.contact-form", name);
            assert_eq!(own.verdict(), reason, "{name}");
        }
        let secret = answered(case(&json!({"password": ""}), &typed(), &["save"]), &json!([]), &json!({}));
        assert_eq!(secret.verdict(), "password");
    }

    #[test]
    fn what_was_typed_is_in_the_updates_and_in_the_snapshot() {
        let data = json!({
            "adminEmail": "info@shop.example",
            "form": [{"email": "old@example.com", "city": "Bonn", "tags": [["a"], {"s": "arr"}]}, {"class": "F", "s": "frm"}],
            "pair": ["x", {"other": 1}],
        });
        let updates = json!({"form.email": "ana.ruiz@example.com", "form.first_name": "Ana"});
        let reading = answered(case(&data, &updates, &["submit"]), &json!([]), &json!({})).read();
        let fields: Vec<_> = reading.fields.list.iter().map(|f| format!("{}={}", f.name, f.value)).collect();
        assert_eq!(
            fields,
            [
                "form[email]=ana.ruiz@example.com",
                "form[first_name]=Ana",
                "adminEmail=info@shop.example",
                "form[city]=Bonn",
                "form[tags][0]=a",
                "pair[0]=x",
                "pair[1][other]=1",
            ]
        );
        assert_eq!(contact(&reading, Key::Em), Some("ana.ruiz@example.com"));
        assert_eq!(contact(&reading, Key::Fn), Some("Ana"));
        assert_eq!((reading.handler, reading.form.as_str()), ("livewire", "livewire:forms-contact-form"));
        assert_eq!(reading.verdict, crate::form::Verdict::Lead);
    }

    #[test]
    fn hostile_components_are_read_as_far_as_they_go() {
        let deep = "a.".repeat(5000);
        let mut updates = Map::new();
        updates.insert(deep, json!("x"));
        updates.insert("email".into(), json!("ana@example.com"));
        updates.insert("email.x".into(), json!("y"));
        let reading = case(&json!([[], {"s": "arr"}]), &Value::Object(updates), &["submit"]).read();
        assert!(reading.fields.list.len() <= 3);
        for body in
            ["{}", "[]", r#"{"components":7}"#, r#"{"components":[7,{"snapshot":7},{"snapshot":"{","calls":[]}]}"#]
        {
            let mut case = Case::post("/livewire/update", body).header("x-livewire", "1").json(200, "{}");
            case.content_type = "application/json";
            assert_ne!(case.verdict(), "lead", "{body}");
        }
    }
}
