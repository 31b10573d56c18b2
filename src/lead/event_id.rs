//! The submission's fingerprint and the `event_id` made of it.

use secrecy::SecretBox;

use super::event::MatchKeys;

/// The key of all fingerprints.
#[derive(Debug)]
pub struct IdSecret(SecretBox<[u8; 32]>);

impl IdSecret {
    /// From 32 random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    /// From the operator's `event_id_secret`, of any length.
    #[must_use]
    pub fn from_text(_text: &str) -> Self {
        Self::new([0; 32])
    }
}

/// What makes two submissions the same one.
#[must_use]
pub fn fingerprint(_secret: &IdSecret, _site: &str, _form: &str, _fields: &[(String, String)]) -> [u8; 32] {
    [0; 32]
}

/// What makes two submissions with the same supplied id the same person's.
#[must_use]
pub fn contact_digest(_secret: &IdSecret, _keys: &MatchKeys) -> [u8; 32] {
    [0; 32]
}

/// The `event_id` of a fingerprint.
#[must_use]
pub fn fallback_id(_fingerprint: &[u8; 32]) -> String {
    String::new()
}
