//! The components of a Livewire request and of its answer.

use serde_json::{Map, Value};

use crate::form::body::Fields;
use crate::form::handlers::Post;
use crate::form::json;

/// One component of a request.
pub(super) struct Component {
    snapshot: Value,
    updates: Map<String, Value>,
    calls: Vec<String>,
}

/// Components of one request that are looked at.
const MAX_COMPONENTS: usize = 50;

pub(super) fn components(post: &Post<'_>) -> Option<Vec<Component>> {
    let body: Value = serde_json::from_slice(post.request.body.whole()?).ok()?;
    let list = body.get("components")?.as_array()?;
    Some(list.iter().take(MAX_COMPONENTS).filter_map(Component::of).collect())
}

impl Component {
    fn of(value: &Value) -> Option<Self> {
        let snapshot = serde_json::from_str(value.get("snapshot")?.as_str()?).ok()?;
        // PHP writes an empty map as `[]`.
        let updates = value.get("updates").and_then(Value::as_object).cloned().unwrap_or_default();
        let calls = value.get("calls")?.as_array()?.iter();
        let calls = calls.filter_map(|call| call.get("method")?.as_str()).filter(|method| !is_built_in(method));
        Some(Self { snapshot, updates, calls: calls.map(str::to_owned).collect() })
    }

    /// The one whose method is called.
    pub(super) fn called(components: &[Self]) -> Option<&Self> {
        components.iter().find(|component| !component.calls.is_empty())
    }

    /// The last one: `validate` may be called before `submit`.
    pub(super) fn method(&self) -> &str {
        self.calls.last().map_or("", String::as_str)
    }

    pub(super) fn memo(&self, key: &str) -> Option<&Value> {
        self.snapshot.get("memo")?.get(key)
    }

    /// What was typed since the last answer comes first: among a component's data may be the site's own addresses.
    pub(super) fn fields(&self) -> Option<Fields> {
        let mut fields = Fields::default();
        let mut typed = Value::Object(Map::new());
        for (path, value) in &self.updates {
            insert(&mut typed, path, value.clone());
        }
        let mut known = untuple(self.snapshot.get("data").unwrap_or(&Value::Null));
        for path in self.updates.keys() {
            remove(&mut known, path);
        }
        for part in [typed, known] {
            for field in json::decode(&serde_json::to_vec(&part).ok()?).ok()?.list {
                fields.push(field.name, field.value);
            }
        }
        Some(fields)
    }
}

/// What Livewire's own script calls.
fn is_built_in(method: &str) -> bool {
    method.starts_with('$') || method.starts_with('_')
}

/// One component of an answer.
pub(super) struct Answered<'a> {
    snapshot: Value,
    pub(super) effects: &'a Value,
}

impl<'a> Answered<'a> {
    pub(super) fn of(value: &'a Value) -> Option<Self> {
        let snapshot = serde_json::from_str(value.get("snapshot")?.as_str()?).ok()?;
        Some(Self { snapshot, effects: value.get("effects").unwrap_or(&Value::Null) })
    }

    pub(super) fn memo(&self, key: &str) -> Option<&Value> {
        self.snapshot.get("memo")?.get(key)
    }
}

/// Depth of a path such as `form.address.city`.
const MAX_DEPTH: usize = 16;

/// Sets `form.email` in an object of objects. Positions in lists are keys here: only names are made of them.
fn insert(root: &mut Value, path: &str, value: Value) {
    let mut at = root;
    for key in path.splitn(MAX_DEPTH, '.') {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Some(members) = at.as_object_mut() else { return };
        at = members.entry(key).or_insert(Value::Null);
    }
    *at = value;
}

fn remove(root: &mut Value, path: &str) {
    let (parent, key) = path.rsplit_once('.').map_or((None, path), |(parent, key)| (Some(parent), key));
    let mut at = root;
    for key in parent.into_iter().flat_map(|parent| parent.splitn(MAX_DEPTH, '.')) {
        let Some(next) = at.get_mut(key) else { return };
        at = next;
    }
    if let Some(members) = at.as_object_mut() {
        members.remove(key);
    }
}

/// Lists and objects of a snapshot are pairs of the value and its kind: `[["a"],{"s":"arr"}]`.
fn untuple(value: &Value) -> Value {
    match value {
        Value::Array(items) => match items.as_slice() {
            [inner, kind] if kind.get("s").is_some_and(Value::is_string) => untuple(inner),
            items => Value::Array(items.iter().map(untuple).collect()),
        },
        Value::Object(members) => members.iter().map(|(key, value)| (key.clone(), untuple(value))).collect(),
        other => other.clone(),
    }
}
