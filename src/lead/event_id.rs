//! The submission's fingerprint and the `event_id` made of it: keyed, so that neither tells anything about the data.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox};
use sha2::{Digest, Sha256};

use super::event::MatchKeys;

/// The key of all fingerprints.
pub struct IdSecret(SecretBox<[u8; 32]>);

impl IdSecret {
    /// From 32 random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    /// From the operator's `event_id_secret`, of any length.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self::new(Sha256::digest(text).into())
    }

    /// HMAC over parts whose borders count: `("ab", "c")` and `("a", "bc")` differ.
    fn mac<'a>(&self, purpose: &'a str, parts: impl Iterator<Item = &'a str>) -> [u8; 32] {
        // HMAC pads a short key with zeros to the block's size (RFC 2104 2); done here, no key can be refused.
        let mut key = [0; 64];
        key[..32].copy_from_slice(self.0.expose_secret());
        let mut mac = Hmac::<Sha256>::new(&key.into());
        for part in std::iter::once(purpose).chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

/// What makes two submissions the same one: site, form and every field but the volatile ones. The order of different
/// fields does not count, scripts collect them as they like; that of repeated ones does.
#[must_use]
pub fn fingerprint(secret: &IdSecret, site: &str, form: &str, fields: &[(String, String)]) -> [u8; 32] {
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let pairs = sorted.into_iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
    secret.mac("submission", [site, form].into_iter().chain(pairs))
}

/// What makes two submissions with the same supplied id the same person's.
#[must_use]
pub fn contact_digest(secret: &IdSecret, keys: &MatchKeys) -> [u8; 32] {
    let parts =
        keys.iter().flat_map(|(key, hashes)| std::iter::once(key.name()).chain(hashes.iter().map(String::as_str)));
    secret.mac("contact", parts)
}

/// The `event_id` of a fingerprint: 32 hex digits.
#[must_use]
pub fn fallback_id(fingerprint: &[u8; 32]) -> String {
    hex::encode(&fingerprint[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(secret: &str, site: &str, fields: &[(&str, &str)]) -> [u8; 32] {
        let fields: Vec<_> = fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        fingerprint(&IdSecret::from_text(secret), site, "form", &fields)
    }

    #[test]
    fn the_order_of_fields_does_not_count_and_everything_else_does() {
        let one = print("s", "a.example", &[("email", "a@example.com"), ("name", "x")]);
        assert_eq!(one, print("s", "a.example", &[("name", "x"), ("email", "a@example.com")]));
        for other in [
            print("t", "a.example", &[("email", "a@example.com"), ("name", "x")]),
            print("s", "b.example", &[("email", "a@example.com"), ("name", "x")]),
            print("s", "a.example", &[("email", "a@example.com"), ("name", "y")]),
            print("s", "a.example", &[("email", "a@example.com"), ("namex", "")]),
            print("s", "a.example", &[("email", "a@example.com")]),
        ] {
            assert_ne!(one, other);
        }
        assert_ne!(print("s", "a", &[("x", "1"), ("x", "2")]), print("s", "a", &[("x", "2"), ("x", "1")]));
    }
}
