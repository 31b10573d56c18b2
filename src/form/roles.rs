//! Fields → contact data.

use crate::lead::contact::Contact;

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
