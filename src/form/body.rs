//! Bodies → fields.

use std::fmt;

/// One submitted field.
#[derive(Clone, PartialEq, Eq)]
pub struct Field {
    /// The name as submitted.
    pub name: String,
    /// The value as typed.
    pub value: String,
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=({} bytes)", self.name, self.value.len())
    }
}

/// The fields of a submission in their order.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// The fields.
    pub list: Vec<Field>,
    /// There were more than are kept.
    pub truncated: bool,
}
