//! Fields → contact data, by the most trusted source that says something.
//!
//! The order of trust: the operator's rule; what the handler or its answer declares; the HTML of the page (autocomplete,
//! type, label); the field's name; the value's shape. A wrong value hurts more than a missing one: it makes another
//! person's lead. So there is one value per key (the operator may name several), and what is doubtful is left out.

use std::collections::HashMap;

use super::body::{Field, Fields};
use super::names::{self, Meaning};
use super::page::{FieldKind, PageField, PageForm};
pub(super) use super::tokens::Role;
use super::volatile;
use crate::lead::contact::{Contact, Key};
use crate::lead::name::split_name;

/// Longest value read as contact data, in bytes: addresses end at 254 (RFC 5321), the longest names well before.
const MAX_VALUE: usize = 320;

/// Which field was read as what, and why. No values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSource {
    /// The field's name.
    pub field: String,
    /// `em`, `ph`, `fn`, `ln`, `name`, `ct`, `st`, `zp`, `country`, …
    pub role: &'static str,
    /// `rule`, `answer`, `page`, `handler`, `name`, `shape`.
    pub source: &'static str,
}

/// The contact data of a submission.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    /// Values by key.
    pub contact: Contact,
    /// Where they came from.
    pub sources: Vec<RoleSource>,
}

/// A role that the handler or the site's answer declares for a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Declared {
    pub field: String,
    /// `None`: surely no contact data.
    pub role: Option<Role>,
    /// `handler` or `answer`.
    pub source: &'static str,
}

impl Declared {
    /// A field of the software itself.
    pub(super) fn not_contact(field: &str) -> Self {
        Self { field: field.to_owned(), role: None, source: "handler" }
    }
}

/// What is known about the fields besides themselves.
#[derive(Clone, Copy, Default)]
pub(super) struct Known<'a> {
    /// The operator's map: field name → role word or `ignore`.
    pub rule: &'a [(String, String)],
    pub declared: &'a [Declared],
    pub page: Option<&'a PageForm>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Rule,
    Handler,
    Answer,
    Page,
    Name,
    Shape,
}

impl Source {
    const fn word(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Handler => "handler",
            Self::Answer => "answer",
            Self::Page => "page",
            Self::Name => "name",
            Self::Shape => "shape",
        }
    }
}

struct Candidate<'a> {
    field: &'a Field,
    role: Role,
    source: Source,
}

/// Reads the contact data.
pub(super) fn read(fields: &Fields, known: Known<'_>) -> Roles {
    let page: HashMap<&str, &PageField> =
        known.page.into_iter().flat_map(|form| form.fields.iter().map(|field| (field.name.as_str(), field))).collect();
    let mut candidates = Vec::new();
    let mut unread = Vec::new();
    for field in submitted(fields) {
        match meaning(field, &known, page.get(field.name.as_str()).copied()) {
            Found::Role(role, source) => candidates.push(Candidate { field, role, source }),
            Found::NotContact => {}
            Found::Nothing => unread.push(field),
        }
    }
    by_shape(&unread, &mut candidates);
    // Stable: within a source the order of the form stands.
    candidates.sort_by_key(|candidate| candidate.source);
    let mut roles = Roles::default();
    for candidate in candidates.iter().filter(|candidate| candidate.role != Role::Name) {
        if let Role::Match(key) = candidate.role
            && (candidate.source == Source::Rule || roles.contact.first(key).is_none())
        {
            roles.take(candidate, candidate.role.word(), [(key, candidate.field.value.clone())]);
        }
    }
    if let Some(name) = candidates.iter().find(|candidate| candidate.role == Role::Name) {
        roles.take_name(name);
    }
    roles
}

impl Roles {
    fn take(&mut self, from: &Candidate<'_>, role: &'static str, values: impl IntoIterator<Item = (Key, String)>) {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            return;
        }
        for (key, value) in values {
            self.contact.add(key, value);
        }
        self.sources.push(RoleSource { field: from.field.name.clone(), role, source: from.source.word() });
    }

    /// A field called "name" is what its siblings leave: beside a last name it is the first name, beside a first name
    /// (French `nom` beside `prenom`, German "Name" beside "Vorname") the last, unless it repeats them; alone it is
    /// both.
    fn take_name(&mut self, name: &Candidate<'_>) {
        let value = name.field.value.trim();
        let has = |key| self.contact.first(key).map(|part| part.trim().to_lowercase());
        let repeats =
            |part: &str| value.to_lowercase().split_whitespace().any(|word| part.split(' ').any(|p| p == word));
        match (has(Key::Fn), has(Key::Ln)) {
            (Some(_), Some(_)) => {}
            (Some(first), None) if !repeats(&first) => self.take(name, "ln", [(Key::Ln, name.field.value.clone())]),
            (None, Some(last)) if !repeats(&last) => self.take(name, "fn", [(Key::Fn, name.field.value.clone())]),
            (first, last) => {
                let (own_first, own_last) = split_name(value);
                let first = own_first.filter(|_| first.is_none()).map(|part| (Key::Fn, part));
                let last = own_last.filter(|_| last.is_none()).map(|part| (Key::Ln, part));
                self.take(name, "name", [first, last].into_iter().flatten());
            }
        }
    }
}

/// The fields that were filled in; of repeated ones the last, as PHP sees them.
fn submitted(fields: &Fields) -> impl Iterator<Item = &Field> {
    let last: HashMap<&str, usize> =
        fields.list.iter().enumerate().map(|(index, field)| (field.name.as_str(), index)).collect();
    fields
        .list
        .iter()
        .enumerate()
        .filter(move |(index, field)| last.get(field.name.as_str()) == Some(index))
        .filter_map(|(_, field)| {
            let value = field.value.trim();
            // U+FFFD: bytes that could not be read are no name of anybody.
            (!value.is_empty() && value.len() <= MAX_VALUE && !value.contains('\u{fffd}')).then_some(field)
        })
}

enum Found {
    Role(Role, Source),
    NotContact,
    Nothing,
}

fn meaning(field: &Field, known: &Known<'_>, on_page: Option<&PageField>) -> Found {
    let (name, value) = (field.name.as_str(), field.value.trim());
    if let Some((_, word)) = known.rule.iter().find(|(key, _)| same_field(key, name)) {
        return Role::from_word(word).map_or(Found::NotContact, |role| Found::Role(role, Source::Rule));
    }
    if let Some(declared) = known.declared.iter().find(|declared| declared.field == name) {
        let source = if declared.source == "answer" { Source::Answer } else { Source::Handler };
        return declared.role.map_or(Found::NotContact, |role| Found::Role(role, source));
    }
    if volatile::is_volatile(name) || on_page.is_some_and(|field| !field.kind.is_typed()) {
        return Found::NotContact;
    }
    let by_name = names::of_name(name);
    let by_page = on_page.map_or(Meaning::Unknown, |field| of_page_field(field, by_name));
    let (meaning, source) = match by_page {
        Meaning::Unknown => (by_name, Source::Name),
        said => (said, Source::Page),
    };
    match meaning {
        Meaning::Role(role) if fits(role, value) => Found::Role(role, source),
        // Another kind of value under a telling name: a doubt, and its shape must not settle it.
        Meaning::Role(_) | Meaning::NotContact => Found::NotContact,
        Meaning::Unknown => Found::Nothing,
    }
}

/// PHP writes `_` for a dot or a space in a name; an operator may have either spelling at hand.
fn same_field(key: &str, name: &str) -> bool {
    key.len() == name.len()
        && key.bytes().zip(name.bytes()).all(|(a, b)| a == b || (a == b'_' && matches!(b, b'.' | b' ')))
}

fn of_page_field(field: &PageField, by_name: Meaning) -> Meaning {
    // Whose address it is, only the name can say.
    if by_name == Meaning::NotContact && field.kind == FieldKind::Email {
        return Meaning::NotContact;
    }
    if let Some(meaning) = field.autocomplete.split_ascii_whitespace().next_back().and_then(of_autocomplete) {
        return meaning;
    }
    match field.kind {
        FieldKind::Email => return Meaning::Role(Role::Match(Key::Em)),
        FieldKind::Tel if by_name != Meaning::NotContact => return Meaning::Role(Role::Match(Key::Ph)),
        _ => {}
    }
    match (names::of_label(&field.label), by_name) {
        // A field named `last_name` may well be labelled "Name".
        (Meaning::Role(Role::Name), Meaning::Role(role @ Role::Match(Key::Fn | Key::Ln))) => Meaning::Role(role),
        (by_label, _) => by_label,
    }
}

/// HTML, autofill field names; the last token of the attribute.
fn of_autocomplete(token: &str) -> Option<Meaning> {
    let key = match token.to_ascii_lowercase().as_str() {
        "email" => Key::Em,
        "tel" | "tel-national" => Key::Ph,
        "given-name" => Key::Fn,
        "family-name" => Key::Ln,
        "address-level2" => Key::Ct,
        "address-level1" => Key::St,
        "postal-code" => Key::Zp,
        "country" | "country-name" => Key::Country,
        "bday" => Key::Db,
        "sex" => Key::Ge,
        "name" => return Some(Meaning::Role(Role::Name)),
        "organization" | "organization-title" | "street-address" | "address-line1" | "address-line2" | "nickname"
        | "honorific-prefix" | "additional-name" | "url" => return Some(Meaning::NotContact),
        _ => return None,
    };
    Some(Meaning::Role(Role::Match(key)))
}

/// Whether the value can be what the name says.
fn fits(role: Role, value: &str) -> bool {
    match role {
        Role::Match(Key::Em) => is_email(value),
        Role::Match(Key::Ph) => is_phone(value),
        Role::Name | Role::Match(Key::Fn | Key::Ln | Key::Ct | Key::St | Key::Country) => {
            value.chars().any(char::is_alphabetic) && !value.contains(['@', '<', '>']) && !value.contains("://")
        }
        Role::Match(_) => true,
    }
}

fn is_email(value: &str) -> bool {
    let Some((local, domain)) = value.rsplit_once('@') else { return false };
    !local.is_empty()
        && domain.split('.').count() > 1
        && domain.split('.').all(|label| !label.is_empty())
        && !value.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, ',' | ';' | '<' | '>' | '"'))
        && !local.contains('@')
}

/// E.164 has at most 15 digits; the shortest local numbers have about six. A few letters ("Tel.", "ext") are common.
fn is_phone(value: &str) -> bool {
    let digits = value.chars().filter(char::is_ascii_digit).count();
    let letters = value.chars().filter(|c| c.is_alphabetic()).count();
    (6..=17).contains(&digits) && letters <= 4 && !value.contains(['@', ':'])
}

/// Fields that nothing else tells: exactly one e-mail address, exactly one number in international form.
fn by_shape<'a>(unread: &[&'a Field], candidates: &mut Vec<Candidate<'a>>) {
    let international = |value: &str| {
        let digits = value.chars().filter(char::is_ascii_digit).count();
        let plain = value.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '(' | ')' | '.' | '/'));
        value.starts_with('+') && (8..=15).contains(&digits) && plain
    };
    for (key, has_shape) in [(Key::Em, &is_email as &dyn Fn(&str) -> bool), (Key::Ph, &international)] {
        let role = Role::Match(key);
        let mut found = unread.iter().filter(|field| has_shape(field.value.trim()));
        if let (Some(field), None) = (found.next(), found.next())
            && !candidates.iter().any(|candidate| candidate.role == role)
        {
            candidates.push(Candidate { field, role, source: Source::Shape });
        }
    }
}
