//! A submitted field with what its name says by itself, read once for all who ask.

use super::body::{Field, Fields};
use super::veto::Secrets;
use super::volatile;
use super::words::Words;

/// A field, and its name in words.
pub(super) struct Submitted<'a> {
    pub field: &'a Field,
    pub words: Words,
    /// It says nothing about who submitted what.
    pub is_volatile: bool,
    pub secrets: Secrets,
}

impl<'a> Submitted<'a> {
    fn of(field: &'a Field) -> Self {
        let words = Words::of(&field.name);
        Self {
            field,
            is_volatile: volatile::is_volatile(&field.name),
            secrets: Secrets::of(&field.name, &words),
            words,
        }
    }

    /// All fields of a submission, in their order.
    pub(super) fn all(fields: &'a Fields) -> Vec<Self> {
        fields.list.iter().map(Self::of).collect()
    }

    pub(super) fn name(&self) -> &'a str {
        &self.field.name
    }

    /// Whether it was filled in.
    pub(super) fn is_filled(&self) -> bool {
        !self.field.value.trim().is_empty()
    }
}
