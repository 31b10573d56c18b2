//! Fields → contact data, by the most trusted source that says something.
//!
//! The order of trust: the operator's rule; what the handler or its answer declares; the HTML of the page (autocomplete,
//! the builder's marker, type, label); the field's name; the value's shape. A wrong value hurts more than a missing one:
//! it makes another person's lead. So there is one value per key (the operator may name several), every source has a
//! confidence, and what stays below [`ENOUGH`] is reported and left out.

use std::collections::HashMap;

use super::names::{self, Meaning, last_bracket};
use super::page::{FieldKind, PageField, PageForm};
use super::phone;
use super::submitted::Submitted;
pub(super) use super::tokens::Role;
use crate::lead::contact::{Contact, Key};
use crate::lead::data_key::DataKey;
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
    /// `rule`, `answer`, `handler`, `name`, `shape`; of the page `autocomplete`, `marker`, `type`, `label`, `nearby`.
    pub source: &'static str,
    /// From 0 to 100.
    pub confidence: u8,
}

/// The least confidence with which a value is sent.
pub const ENOUGH: u8 = 50;

/// The contact data of a submission.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    /// Values by key.
    pub contact: Contact,
    /// What fields say of the lead itself.
    pub data: Vec<(DataKey, String)>,
    /// Where they came from.
    pub sources: Vec<RoleSource>,
    /// What looked like something and was not sure enough to be sent.
    pub doubtful: Vec<RoleSource>,
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

/// In the order of trust.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Rule,
    Handler,
    Answer,
    Autocomplete,
    Marker,
    Type,
    Label,
    Name,
    Nearby,
    Shape,
    /// A shape that other things have as well.
    Guess,
}

impl Source {
    const fn word(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Handler => "handler",
            Self::Answer => "answer",
            Self::Autocomplete => "autocomplete",
            Self::Marker => "marker",
            Self::Type => "type",
            Self::Label => "label",
            Self::Name => "name",
            Self::Nearby => "nearby",
            Self::Shape | Self::Guess => "shape",
        }
    }

    /// How often such a source is right, by judgement: what people declare beats what they call it, and that what it
    /// looks like.
    const fn confidence(self) -> u8 {
        match self {
            Self::Rule => 100,
            Self::Handler | Self::Answer => 95,
            Self::Autocomplete | Self::Marker | Self::Type => 90,
            Self::Label => 80,
            Self::Name => 75,
            Self::Nearby => 60,
            Self::Shape => 55,
            Self::Guess => 30,
        }
    }
}

struct Candidate<'a> {
    submitted: &'a Submitted<'a>,
    role: Role,
    source: Source,
    /// Its name or label says more than the role: of several it is the last to be taken.
    qualified: bool,
}

/// Reads the contact data.
pub(super) fn read(fields: &[Submitted<'_>], known: Known<'_>) -> Roles {
    let page: HashMap<&str, &PageField> =
        known.page.into_iter().flat_map(|form| form.fields.iter().map(|field| (field.name.as_str(), field))).collect();
    let mut candidates = Vec::new();
    let mut unread = Vec::new();
    let declared: HashMap<&str, &Declared> =
        known.declared.iter().rev().map(|declared| (declared.field.as_str(), declared)).collect();
    let telling = telling(fields);
    for &submitted in &telling {
        let name = submitted.name();
        let on_page = page.get(name).copied();
        match meaning(submitted, known.rule, declared.get(name).copied(), on_page) {
            Found::Role(role, source) => {
                let qualified = source > Source::Answer
                    && (on_page.is_some_and(|field| field.is_qualified) || names::is_qualified(name));
                candidates.push(Candidate { submitted, role, source, qualified });
            }
            Found::NotContact => {}
            Found::Nothing => unread.push(submitted),
        }
    }
    by_shape(&unread, &mut candidates);
    by_sibling(&telling, |name| declared.contains_key(name) || page.contains_key(name), &mut candidates);
    // Stable: within a source the order of the form stands.
    candidates.sort_by_key(|candidate| (candidate.qualified, candidate.source));
    let mut roles = Roles::default();
    candidates.retain(|candidate| {
        let enough = candidate.source.confidence() >= ENOUGH;
        if !enough {
            roles.doubtful.push(candidate.report(candidate.role.word()));
        }
        enough
    });
    for candidate in &candidates {
        if let Role::Data(key) = candidate.role
            && !roles.data.iter().any(|(known, _)| *known == key)
        {
            roles.data.push((key, candidate.value().trim().to_owned()));
            roles.sources.push(candidate.report(key.name()));
        }
    }
    for candidate in &candidates {
        if let Role::Match(key) = candidate.role
            && (candidate.source == Source::Rule || roles.contact.first(key).is_none())
        {
            let value =
                if key == Key::Ph { phone::whole(candidate.submitted, fields) } else { candidate.value().to_owned() };
            roles.take(candidate, candidate.role.word(), [(key, value)]);
        }
    }
    let is_name = |candidate: &&Candidate<'_>| matches!(candidate.role, Role::Name | Role::NameLastFirst);
    if let Some(name) = candidates.iter().find(is_name) {
        roles.take_name(name);
    }
    roles
}

impl Candidate<'_> {
    fn value(&self) -> &str {
        &self.submitted.field.value
    }

    fn report(&self, role: &'static str) -> RoleSource {
        let (source, confidence) = (self.source.word(), self.source.confidence());
        RoleSource { field: self.submitted.name().to_owned(), role, source, confidence }
    }
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
        self.sources.push(from.report(role));
    }

    /// A field called "name" is what its siblings leave: beside a last name it is the first name, beside a first name
    /// (French `nom` beside `prenom`, German "Name" beside "Vorname") the last, unless it repeats them; alone it is
    /// both.
    fn take_name(&mut self, name: &Candidate<'_>) {
        let value = name.value().trim();
        let has = |key| self.contact.first(key).map(|part| part.trim().to_lowercase());
        let repeats =
            |part: &str| value.to_lowercase().split_whitespace().any(|word| part.split(' ').any(|p| p == word));
        match (has(Key::Fn), has(Key::Ln)) {
            (Some(_), Some(_)) => {}
            // "Nom et prénom": only a comma or capitals tell which is which.
            _ if name.role == Role::NameLastFirst && !names::says_its_order(value) => {}
            (Some(first), None) if !repeats(&first) => self.take(name, "ln", [(Key::Ln, name.value().to_owned())]),
            (None, Some(last)) if !repeats(&last) => self.take(name, "fn", [(Key::Fn, name.value().to_owned())]),
            (first, last) => {
                let (own_first, own_last) = split_name(value);
                let first = own_first.filter(|_| first.is_none()).map(|part| (Key::Fn, part));
                let last = own_last.filter(|_| last.is_none()).map(|part| (Key::Ln, part));
                self.take(name, "name", [first, last].into_iter().flatten());
            }
        }
    }
}

/// The fields that were filled in with something that may be contact data; of repeated ones the last, as PHP sees them.
fn telling<'a>(fields: &'a [Submitted<'a>]) -> Vec<&'a Submitted<'a>> {
    let last: HashMap<&str, usize> = fields.iter().enumerate().map(|(at, submitted)| (submitted.name(), at)).collect();
    let once = fields.iter().enumerate().filter(|(at, submitted)| last.get(submitted.name()) == Some(at));
    let may_be_contact = |submitted: &&Submitted<'_>| {
        let value = submitted.field.value.trim();
        // U+FFFD: bytes that could not be read are no name of anybody.
        !value.is_empty() && value.len() <= MAX_VALUE && !value.contains('\u{fffd}')
    };
    once.map(|(_, submitted)| submitted).filter(may_be_contact).collect()
}

enum Found {
    Role(Role, Source),
    NotContact,
    Nothing,
}

fn meaning(
    submitted: &Submitted<'_>,
    map: &[(String, String)],
    declared: Option<&Declared>,
    on_page: Option<&PageField>,
) -> Found {
    let (name, value) = (submitted.name(), submitted.field.value.trim());
    if let Some((_, word)) = map.iter().find(|(key, _)| same_field(key, name)) {
        return Role::from_word(word).map_or(Found::NotContact, |role| Found::Role(role, Source::Rule));
    }
    if let Some(declared) = declared {
        let source = if declared.source == "answer" { Source::Answer } else { Source::Handler };
        match declared.role {
            Some(role) if fits(role, value) => return Found::Role(role, source),
            None => return Found::NotContact,
            // Whatever the software calls it: the value is something else, and others may say what.
            Some(_) => {}
        }
    }
    if submitted.is_volatile || submitted.secrets.national_id {
        return Found::NotContact;
    }
    let by_name = names::of_name(&submitted.words);
    if let Some(role @ Role::Data(_)) = data_role(name)
        && fits(role, value)
    {
        return Found::Role(role, Source::Name);
    }
    if on_page.is_some_and(|field| !field.kind.is_typed() || field.trap) {
        return Found::NotContact;
    }
    let (meaning, source) = match on_page.and_then(|field| of_page_field(field, by_name)) {
        Some(said) => said,
        None => (by_name, Source::Name),
    };
    match meaning {
        Meaning::Role(role) if fits(role, value) => Found::Role(role, source),
        // The text before a field may be about anything.
        Meaning::Role(_) if source == Source::Nearby => Found::Nothing,
        // Another kind of value under a telling name: a doubt, and its shape must not settle it.
        Meaning::Role(_) | Meaning::NotContact => Found::NotContact,
        Meaning::Unknown if on_page.is_some_and(|field| field.kind == FieldKind::Area) => Found::NotContact,
        Meaning::Unknown => Found::Nothing,
    }
}

/// Names that say by themselves that a field is about the lead: Meta's own words.
fn data_role(name: &str) -> Option<Role> {
    const NAMES: [(&str, DataKey); 6] = [
        ("lead_value", DataKey::Value),
        ("conversion_value", DataKey::Value),
        ("currency", DataKey::Currency),
        ("currency_code", DataKey::Currency),
        ("content_name", DataKey::ContentName),
        ("lead_qualification", DataKey::LeadQualification),
    ];
    let last = last_bracket(name);
    NAMES.iter().find(|(own, _)| own.eq_ignore_ascii_case(last)).map(|(_, key)| Role::Data(*key))
}

/// PHP writes `_` for a dot or a space in a name; an operator may have either spelling at hand.
fn same_field(key: &str, name: &str) -> bool {
    key.len() == name.len()
        && key.bytes().zip(name.bytes()).all(|(a, b)| a == b || (a == b'_' && matches!(b, b'.' | b' ')))
}

/// What the page says, most trusted first; `None` when that is nothing.
fn of_page_field(field: &PageField, by_name: Meaning) -> Option<(Meaning, Source)> {
    // Whose address it is, only the name can say.
    if by_name == Meaning::NotContact && field.kind == FieldKind::Email {
        return Some((Meaning::NotContact, Source::Name));
    }
    let by_type = match field.kind {
        FieldKind::Email => Meaning::Role(Role::Match(Key::Em)),
        FieldKind::Tel if by_name != Meaning::NotContact => Meaning::Role(Role::Match(Key::Ph)),
        _ => Meaning::Unknown,
    };
    // A marker is around all parts of a field: `[first]` within a name is said by the part.
    let marker = match (field.marker, by_name) {
        (Meaning::Role(Role::Name), Meaning::Role(_) | Meaning::NotContact) => Meaning::Unknown,
        (marker, _) => marker,
    };
    let label = match (field.label, by_name) {
        // A field named `last_name` may well be labelled "Name".
        (Meaning::Role(Role::Name), Meaning::Role(role @ Role::Match(Key::Fn | Key::Ln))) => Meaning::Role(role),
        (by_label, _) => by_label,
    };
    let nearby = if by_name == Meaning::Unknown { field.nearby } else { Meaning::Unknown };
    // "Fax", "E-mail of your friend", whatever the control; a company's name in a field for names.
    let is_name = matches!(marker, Meaning::Role(Role::Name | Role::Match(Key::Fn | Key::Ln)));
    let other = field.is_somebody_elses || (is_name && field.label == Meaning::NotContact);
    let other = if other { Meaning::NotContact } else { Meaning::Unknown };
    [
        (field.autocomplete, Source::Autocomplete),
        (other, Source::Label),
        (marker, Source::Marker),
        (by_type, Source::Type),
        (label, Source::Label),
        (nearby, Source::Nearby),
    ]
    .into_iter()
    .find(|(meaning, _)| *meaning != Meaning::Unknown)
}

/// Whether the value can be what the name says.
fn fits(role: Role, value: &str) -> bool {
    match role {
        Role::Match(Key::Em) => is_email(value),
        Role::Match(Key::Ph) => is_phone(value),
        Role::Name | Role::NameLastFirst | Role::Match(Key::Fn | Key::Ln | Key::Ct | Key::St | Key::Country) => {
            value.chars().any(char::is_alphabetic) && !value.contains(['@', '<', '>']) && !value.contains("://")
        }
        Role::Data(DataKey::Currency) => value.len() == 3 && value.bytes().all(|b| b.is_ascii_alphabetic()),
        Role::Match(_) | Role::Data(_) => true,
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

/// `user_name` beside `user_email`, where nothing else tells: alone it is what one logs in with, in such company it is a name.
fn by_sibling<'a>(fields: &[&'a Submitted<'a>], is_told: impl Fn(&str) -> bool, candidates: &mut Vec<Candidate<'a>>) {
    let is_of_name = |candidate: &Candidate<'_>| {
        matches!(candidate.role, Role::Name | Role::NameLastFirst | Role::Match(Key::Fn | Key::Ln))
    };
    if candidates.iter().any(is_of_name) {
        return;
    }
    let found = fields.iter().find(|submitted| {
        let prefix = submitted.words.joined().strip_suffix("name").filter(|prefix| !prefix.is_empty());
        let Some(prefix) = prefix else { return false };
        let is_mail = |other: &str| other.strip_prefix(prefix).is_some_and(|what| matches!(what, "email" | "mail"));
        !is_told(submitted.name())
            && !names::is_of_a_thing(prefix)
            && fits(Role::Name, submitted.field.value.trim())
            && fields.iter().any(|other| is_mail(other.words.joined()))
    });
    if let Some(submitted) = found {
        candidates.push(Candidate { submitted, role: Role::Name, source: Source::Nearby, qualified: false });
    }
}

type Shape<'a> = &'a dyn Fn(&str) -> bool;

/// Fields that nothing else tells: exactly one e-mail address, exactly one number in international form. A number in
/// national form is a guess: order numbers look like that.
fn by_shape<'a>(unread: &[&'a Submitted<'a>], candidates: &mut Vec<Candidate<'a>>) {
    let digits = |value: &str| value.chars().filter(char::is_ascii_digit).count();
    let plain =
        |value: &str| value.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '(' | ')' | '.' | '/'));
    let international = |value: &str| value.starts_with('+') && (8..=15).contains(&digits(value)) && plain(value);
    let national = |value: &str| value.starts_with(['0', '(']) && (9..=13).contains(&digits(value)) && plain(value);
    let shapes: [(Key, Source, Shape<'_>); 3] = [
        (Key::Em, Source::Shape, &is_email),
        (Key::Ph, Source::Shape, &international),
        (Key::Ph, Source::Guess, &national),
    ];
    for (key, source, has_shape) in shapes {
        let role = Role::Match(key);
        let mut found = unread.iter().filter(|submitted| has_shape(submitted.field.value.trim()));
        if let (Some(submitted), None) = (found.next(), found.next())
            && !candidates.iter().any(|candidate| candidate.role == role)
        {
            candidates.push(Candidate { submitted, role, source, qualified: false });
        }
    }
}
