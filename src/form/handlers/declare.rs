//! How handlers put into words what a field is, where the software itself says it: by its type, or by its label.
//!
//! What is declared is believed before the page and the name are. So nothing is declared for a value that cannot be it:
//! then the others may speak.

use crate::form::body::Field;
use crate::form::names::{self, Meaning};
use crate::form::roles::{Declared, Role};
use crate::lead::contact::Key;

pub(super) const EM: Role = Role::Match(Key::Em);
pub(super) const PH: Role = Role::Match(Key::Ph);
pub(super) const FN: Role = Role::Match(Key::Fn);
pub(super) const LN: Role = Role::Match(Key::Ln);
pub(super) const CT: Role = Role::Match(Key::Ct);
pub(super) const ST: Role = Role::Match(Key::St);
pub(super) const ZP: Role = Role::Match(Key::Zp);
pub(super) const COUNTRY: Role = Role::Match(Key::Country);

/// Who says it.
#[derive(Clone, Copy)]
pub(super) enum By {
    /// The request, in a form that only this software has.
    Handler,
    /// The answer.
    Answer,
}

/// A field that is this by its type.
pub(super) fn is(field: &Field, role: Role, by: By) -> Option<Declared> {
    let source = match by {
        By::Handler => "handler",
        By::Answer => "answer",
    };
    suits(role, field.value.trim()).then(|| Declared { field: field.name.clone(), role: Some(role), source })
}

/// A field that people type into, by its label; `None` when the label says nothing.
pub(super) fn by_label(field: &Field, label: &str, by: By) -> Option<Declared> {
    match names::of_label(label) {
        Meaning::Role(role) => is(field, role, by),
        Meaning::NotContact => Some(Declared::not_contact(&field.name)),
        Meaning::Unknown => None,
    }
}

/// Fields whose names the software itself gives, the same on every site; a `None` beside a name is no contact data.
pub(super) fn by_names(fields: &[Field], names: &[(&str, Option<Role>)]) -> Vec<Declared> {
    let declared = fields.iter().filter_map(|field| {
        let (_, role) = names.iter().find(|(name, _)| *name == field.name)?;
        role.map_or_else(|| Some(Declared::not_contact(&field.name)), |role| is(field, role, By::Handler))
    });
    declared.collect()
}

/// Whether a value can be what its field is: nobody's number has three digits, nobody's name an `@`.
fn suits(role: Role, value: &str) -> bool {
    match role {
        EM => value.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.')),
        PH => value.bytes().filter(u8::is_ascii_digit).count() >= 6 && !value.contains('@'),
        ZP => value.len() <= 16 && !value.contains('@'),
        Role::Name | FN | LN | CT | ST | COUNTRY => value.chars().any(char::is_alphabetic) && !value.contains('@'),
        Role::Match(_) | Role::Data(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_speaks_only_for_values_that_can_be_it() {
        for (label, value, role) in [
            ("Your phone number", "0171 555 01234", Some("ph")),
            ("When may we phone you?", "in the evening", None),
            ("E-Mail", "ana.ruiz@example.com", Some("em")),
            ("E-Mail", "none", None),
            ("Name", "Ana Ruiz", Some("name")),
            ("Name", "ana.ruiz@example.com", None),
            ("Postcode", "53111", Some("zp")),
            ("Company", "Example Ltd", Some("not")),
            ("Colour", "red", None),
        ] {
            let field = Field { name: "x".into(), value: value.into() };
            let declared = by_label(&field, label, By::Handler);
            assert_eq!(declared.map(|d| d.role.map_or("not", Role::word)), role, "{label}: {value}");
        }
    }
}
