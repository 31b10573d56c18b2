//! The submission's fingerprint and the `event_id` made of it.
//!
//! Everything here is HMAC-SHA256 under a secret: nobody who sees an `event_id` or the ledger can test guesses of what
//! was submitted. Parts are prefixed with their length, so that no two different inputs feed the same bytes.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox};
use sha2::{Digest, Sha256};

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
    pub fn from_text(text: &str) -> Self {
        Self::new(Sha256::digest(text.as_bytes()).into())
    }

    fn mac(&self, purpose: &str) -> Parts {
        // RFC 2104: a key shorter than a block is one padded with zeros.
        let mut block = [0; 64];
        for (to, from) in block.iter_mut().zip(self.0.expose_secret()) {
            *to = *from;
        }
        let mut parts = Parts(Hmac::new(&block.into()));
        parts.add(purpose);
        parts
    }
}

/// What makes two submissions the same one: site, form and fields. Names may come in any order, as scripts send them;
/// several values of one name keep theirs, because swapped values are another submission.
#[must_use]
pub fn fingerprint(secret: &IdSecret, site: &str, form: &str, fields: &[(String, String)]) -> [u8; 32] {
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut mac = secret.mac("submission");
    mac.add(site);
    mac.add(form);
    for (name, value) in sorted {
        mac.add(name);
        mac.add(value);
    }
    mac.finish()
}

/// What makes two submissions with the same supplied id the same person's. The order of values does not matter.
#[must_use]
pub fn contact_digest(secret: &IdSecret, keys: &MatchKeys) -> [u8; 32] {
    let mut mac = secret.mac("contact");
    for (key, hashes) in keys.iter() {
        let mut hashes: Vec<_> = hashes.iter().collect();
        hashes.sort();
        for hash in hashes {
            mac.add(key.name());
            mac.add(hash);
        }
    }
    mac.finish()
}

/// What a browser is known by again; `kind` keeps a session apart from a cookie that happens to have its value.
#[must_use]
pub fn browser_digest(secret: &IdSecret, kind: &str, value: &str) -> [u8; 32] {
    let mut mac = secret.mac("browser");
    mac.add(kind);
    mac.add(value);
    mac.finish()
}

/// The `event_id` of a fingerprint: a UUID of version 8 (RFC 9562 5.8), the same for every repeat.
#[must_use]
pub fn fallback_id(fingerprint: &[u8; 32]) -> String {
    let bytes = fingerprint.first_chunk().copied().unwrap_or_default();
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

struct Parts(Hmac<Sha256>);

impl Parts {
    fn add(&mut self, part: &str) {
        self.0.update(&(part.len() as u64).to_be_bytes());
        self.0.update(part.as_bytes());
    }

    fn finish(self) -> [u8; 32] {
        self.0.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lead::contact::{Contact, Key};
    use std::collections::HashSet;

    fn print(secret: &str, site: &str, form: &str, fields: &[(&str, &str)]) -> [u8; 32] {
        let fields: Vec<_> = fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        fingerprint(&IdSecret::from_text(secret), site, form, &fields)
    }

    #[test]
    fn the_order_of_names_does_not_matter_but_that_of_repeated_ones_does() {
        let one = print("s", "shop.example", "/a", &[("em", "x"), ("tag", "1"), ("tag", "2")]);
        assert_eq!(one, print("s", "shop.example", "/a", &[("tag", "1"), ("em", "x"), ("tag", "2")]));
        assert_ne!(one, print("s", "shop.example", "/a", &[("tag", "2"), ("em", "x"), ("tag", "1")]));
    }

    #[test]
    fn whatever_differs_makes_another_fingerprint() {
        let all = [
            print("s", "a", "b", &[("n", "v")]),
            print("t", "a", "b", &[("n", "v")]),
            print("s", "ab", "", &[("n", "v")]),
            print("s", "", "ab", &[("n", "v")]),
            print("s", "a", "b", &[("nv", "")]),
            print("s", "a", "b", &[("n", "v"), ("", "")]),
            print("s", "a", "b", &[]),
        ];
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    }

    #[test]
    fn the_mac_is_hmac_sha256() {
        // Python: hmac.new(sha256(b"s"), parts, "sha256") with every part behind its length as 8 bytes.
        let expected = "67508fd511d9efcc9980a65575d74611bde9d48d6bc9c9de4d6aa1ad753b2d9b";
        assert_eq!(hex::encode(print("s", "a", "b", &[("n", "v")])), expected);
    }

    #[test]
    fn the_same_person_has_the_same_digest() {
        let digest = |values: &[(Key, &str)]| {
            let mut contact = Contact::default();
            for (key, value) in values {
                contact.add(*key, *value);
            }
            contact_digest(&IdSecret::new([7; 32]), &MatchKeys::from_contact(&contact, None).0)
        };
        let one = digest(&[(Key::Em, "ana@example.com"), (Key::Em, "ana@example.org"), (Key::Fn, "Ana")]);
        assert_eq!(one, digest(&[(Key::Fn, "ana "), (Key::Em, "Ana@example.org"), (Key::Em, "ana@example.com")]));
        assert_ne!(one, digest(&[(Key::Em, "ana@example.com"), (Key::Fn, "Ana")]));
        assert_ne!(digest(&[(Key::Fn, "Ana")]), digest(&[(Key::Ln, "Ana")]));
    }

    #[test]
    fn ids_look_like_uuids_and_secrets_do_not_show() {
        assert_eq!(fallback_id(&[0xFF; 32]), "ffffffff-ffff-8fff-bfff-ffffffffffff");
        assert_ne!(fallback_id(&[1; 32]), fallback_id(&[2; 32]));
        assert!(!format!("{:?}", IdSecret::new([7; 32])).contains('7'));
    }
}
