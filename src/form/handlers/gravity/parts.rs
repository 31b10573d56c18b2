//! What the numbered parts of a Gravity field are: of a name, of an address, or of neither.
//!
//! `input_3.6` is the last name of a name and the country of an address, and nothing in the request says which field it
//! is of; but all parts of a text field are submitted, empty ones too, so the set of them tells. It is the learned page
//! that makes it certain: there a list of choices is one. Where it stays open, nothing is said.

use crate::form::body::Field;
use crate::form::handlers::{Post, declare, is_number};
use crate::form::names::Meaning;
use crate::form::page::{FieldKind, PageField, PageForm};
use crate::form::roles::{Declared, Role};
use crate::lead::normalize::Country;

/// Parts of a name: prefix, first, middle, last, suffix.
const NAME: Numbers = Numbers::of(&[2, 3, 4, 6, 8]);
/// Parts of an address: street, its second line, city, state, postal code, country.
const ADDRESS: Numbers = Numbers::of(&[1, 2, 3, 4, 5, 6]);

pub(super) fn declared(post: &Post<'_>) -> Vec<Declared> {
    let mut declared = typed_twice(post);
    let groups = groups(post);
    // Two names on one form are two persons, and a list of choices may pass for one of them: then neither is taken.
    let mut names = groups.iter().filter(|group| group.is_name());
    if let Some(name) = names.next()
        && (name.on_page.is_some() || names.next().is_none())
    {
        let roles = [(2, None), (3, Some(declare::FN)), (4, None), (6, Some(declare::LN)), (8, None)];
        declared.extend(name.declare(&roles));
    }
    // Of two addresses the first, and no part of the second.
    if let Some(address) = groups.iter().find(|group| group.is_address()) {
        let place =
            [(3, Some(declare::CT)), (4, Some(declare::ST)), (5, Some(declare::ZP)), (6, Some(declare::COUNTRY))];
        let street = [(1, None), (2, None)];
        declared.extend(address.declare(&[street.as_slice(), place.as_slice()].concat()));
    }
    declared
}

/// `input_3` and `input_3_2`: an e-mail address and its repetition.
fn typed_twice(post: &Post<'_>) -> Vec<Declared> {
    let repeats = post.fields.list.iter().filter(|field| {
        let Some((id, Some("2"))) = split(&field.name) else { return false };
        post.fields.get(&format!("input_{id}")).is_some_and(|first| first.trim() == field.value.trim())
    });
    repeats.map(|field| Declared::not_contact(&field.name)).collect()
}

/// Fields that are looked at: long surveys have as many.
const MAX_GROUPS: usize = 300;

fn groups<'a>(post: &Post<'a>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for field in &post.fields.list {
        let Some((id, part)) = split(&field.name) else { continue };
        let at = groups.iter().position(|group| group.id == id).unwrap_or_else(|| {
            groups.push(Group::new(id, post.form));
            groups.len() - 1
        });
        if groups.len() > MAX_GROUPS {
            break;
        }
        if let Some(group) = groups.get_mut(at) {
            group.add(part, field);
        }
    }
    groups
}

/// `input_3.6`, and `input_3_6` where PHP or JSON wrote it.
fn split(name: &str) -> Option<(&str, Option<&str>)> {
    let rest = name.strip_prefix("input_")?;
    let (id, part) = match rest.split_once(['.', '_']) {
        Some((id, part)) => (id, Some(part)),
        None => (rest, None),
    };
    is_number(id).then_some((id, part))
}

/// A set of numbers below 16.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Numbers(u16);

impl Numbers {
    const fn of(numbers: &[u8]) -> Self {
        let mut bits = 0;
        let mut rest = numbers;
        while let [first, more @ ..] = rest {
            bits |= 1 << *first;
            rest = more;
        }
        Self(bits)
    }

    const fn has(self, numbers: &[u8]) -> bool {
        let wanted = Self::of(numbers).0;
        self.0 & wanted == wanted
    }

    const fn has_any(self, numbers: &[u8]) -> bool {
        self.0 & Self::of(numbers).0 != 0
    }

    const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }
}

struct Group<'a> {
    id: &'a str,
    parts: Vec<(u8, &'a Field)>,
    numbers: Numbers,
    /// Something that neither a name nor an address has: `input_5`, `input_5.10`, `input_5.2_month`.
    is_other: bool,
    /// The same field's parts on the learned page.
    on_page: Option<Vec<(u8, FieldKind)>>,
    /// Their classes say there what they are: nothing is left to find out.
    is_marked: bool,
}

impl<'a> Group<'a> {
    fn new(id: &'a str, form: Option<&PageForm>) -> Self {
        // 15: a part that neither has.
        let of_field = |field: &PageField| {
            let (own, part) = split(&field.name)?;
            (own == id).then(|| (part.and_then(small).unwrap_or(15), field.kind, field.marker))
        };
        let found: Vec<_> = form.into_iter().flat_map(|form| &form.fields).filter_map(of_field).collect();
        let is_marked = found.iter().any(|(.., marker)| *marker != Meaning::Unknown);
        let on_page = found.into_iter().map(|(number, kind, _)| (number, kind)).collect::<Vec<_>>();
        let on_page = Some(on_page).filter(|parts| !parts.is_empty());
        Self { id, parts: Vec::new(), numbers: Numbers::default(), is_other: false, on_page, is_marked }
    }

    fn add(&mut self, part: Option<&str>, field: &'a Field) {
        match part.and_then(small) {
            Some(number) => {
                self.numbers.0 |= Numbers::of(&[number]).0;
                self.parts.push((number, field));
            }
            None => self.is_other = true,
        }
    }

    fn value(&self, number: u8) -> &str {
        let field = self.parts.iter().rev().find(|(own, _)| *own == number);
        field.map_or("", |(_, field)| field.value.trim())
    }

    /// All numbers: those on the page, where the parts that were not chosen are too.
    fn all(&self) -> Numbers {
        let on_page = self.on_page.iter().flatten().fold(0, |bits, (number, _)| bits | Numbers::of(&[*number]).0);
        Numbers(self.numbers.0 | on_page)
    }

    /// On the page: whether these parts are typed in; `None`: the page is not known.
    fn is_typed(&self, numbers: &[u8]) -> Option<bool> {
        let parts = self.on_page.as_ref()?;
        let is_text = |number: &u8| parts.iter().any(|(own, kind)| own == number && *kind == FieldKind::Text);
        Some(numbers.iter().all(is_text))
    }

    fn is_name(&self) -> bool {
        let numbers = self.all();
        if self.is_marked || self.is_other || !numbers.is_within(NAME) || !numbers.has(&[3, 6]) {
            return false;
        }
        self.is_typed(&[3, 6]).unwrap_or_else(|| {
            // An address that asks for city, state and country has these numbers too; one with a second line and no
            // first does not exist.
            let may_be_address = numbers.has_any(&[4]) && !numbers.has_any(&[2, 8]);
            let (first, last) = (self.value(3), self.value(6));
            !may_be_address && is_name_like(first) && is_name_like(last) && Country::from_name(last).is_none()
        })
    }

    fn is_address(&self) -> bool {
        let numbers = self.all();
        if self.is_marked || self.is_other || !numbers.is_within(ADDRESS) || !numbers.has(&[3, 5]) {
            return false;
        }
        self.is_typed(&[3, 5]).unwrap_or_else(|| {
            let has = |number, is: fn(char) -> bool| self.value(number).chars().any(is);
            let is_postal_code = self.value(5).len() <= 10 && has(5, |c| c.is_ascii_digit());
            let is_city = has(3, char::is_alphabetic) && !has(3, char::is_numeric);
            numbers.has(&[1]) && has(1, char::is_alphabetic) && is_postal_code && is_city
        })
    }

    fn declare(&self, roles: &[(u8, Option<Role>)]) -> Vec<Declared> {
        let declared = self.parts.iter().filter_map(|(number, field)| {
            let (_, role) = roles.iter().find(|(own, _)| own == number)?;
            role.map_or_else(
                || Some(Declared::not_contact(&field.name)),
                |role| Some(declare::is(field, role, declare::By::Handler)),
            )
        });
        declared.collect()
    }
}

fn small(part: &str) -> Option<u8> {
    part.parse().ok().filter(|number| is_number(part) && (1..16).contains(number))
}

/// Letters and what stands between those of a name, a few words of them; or nothing.
fn is_name_like(value: &str) -> bool {
    value.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '\'' | '\u{2019}' | '.'))
        && value.split_whitespace().count() <= 4
}
