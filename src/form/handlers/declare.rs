//! How handlers put into words what a field is, where the software itself says it: by its type, or by its label.
//!
//! What is declared is believed before the page and the name are, if the value can be it.

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
pub(super) fn is(field: &Field, role: Role, by: By) -> Declared {
    let source = match by {
        By::Handler => "handler",
        By::Answer => "answer",
    };
    Declared { field: field.name.clone(), role: Some(role), source }
}

/// A field that people type into, by its label; `None` when the label says nothing.
pub(super) fn by_label(field: &Field, label: &str, by: By) -> Option<Declared> {
    match names::of_label(label) {
        Meaning::Role(role) => Some(is(field, role, by)),
        Meaning::NotContact => Some(Declared::not_contact(&field.name)),
        Meaning::Unknown => None,
    }
}

/// Fields whose names the software itself gives, the same on every site; a `None` beside a name is no contact data.
pub(super) fn by_names(fields: &[Field], names: &[(&str, Option<Role>)]) -> Vec<Declared> {
    let declared = fields.iter().filter_map(|field| {
        let (_, role) = names.iter().find(|(name, _)| *name == field.name)?;
        Some(role.map_or_else(|| Declared::not_contact(&field.name), |role| is(field, role, By::Handler)))
    });
    declared.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_says_a_role_or_that_there_is_none_or_nothing() {
        for (label, role) in [
            ("Your phone number", Some("ph")),
            ("E-Mail", Some("em")),
            ("Name", Some("name")),
            ("Postcode", Some("zp")),
            ("Company", Some("not")),
            ("Colour", None),
        ] {
            let field = Field { name: "x".into(), value: "y".into() };
            let declared = by_label(&field, label, By::Handler);
            assert_eq!(declared.map(|d| d.role.map_or("not", Role::word)), role, "{label}");
        }
    }
}
