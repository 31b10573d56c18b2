//! What a form may say about the lead itself, in the clear.

/// The keys of `custom_data` that fields may fill.
/// <https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/custom-data>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataKey {
    /// What it is worth, in `currency`.
    Value,
    /// ISO 4217.
    Currency,
    /// What the form is about.
    ContentName,
    /// How good the lead is, in the site's own words.
    LeadQualification,
}

impl DataKey {
    /// Every key.
    pub const ALL: [Self; 4] = [Self::Value, Self::Currency, Self::ContentName, Self::LeadQualification];

    /// Meta's name of the key.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Currency => "currency",
            Self::ContentName => "content_name",
            Self::LeadQualification => "lead_qualification",
        }
    }

    /// The key with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }
}
