//! Contact data → hashes by match key: the one place where raw values end.

use std::collections::BTreeMap;
use std::fmt;

use super::contact::{Contact, Key};
use super::normalize::{self, Country, Unusable};

/// Values per key. A form has one, or a second address; more come from a script that fills in what it likes.
const MAX_VALUES: usize = 3;

/// Hashed contact data, ready to send. `Debug` shows the keys only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MatchKeys(BTreeMap<Key, Vec<String>>);

impl MatchKeys {
    /// Normalises and hashes; what cannot be used is named with the reason. `region` is the country of phone numbers;
    /// postal codes go by the country that the visitor gave, if any. At most three values per key, without repeats.
    #[must_use]
    pub fn from_contact(contact: &Contact, region: Option<Country>) -> (Self, Vec<(Key, Unusable)>) {
        let home = contact.get(Key::Country).find_map(Country::from_name).or(region);
        let mut keys = BTreeMap::<Key, Vec<String>>::new();
        let mut unusable = Vec::new();
        for key in Key::ALL {
            let region = if key == Key::Zp { home } else { region };
            let mut hashes = Vec::new();
            for raw in contact.get(key).take(2 * MAX_VALUES) {
                match normalize::hash(key, raw, region) {
                    Ok(hash) if hashes.len() < MAX_VALUES && !hashes.contains(&hash) => hashes.push(hash),
                    Ok(_) => {}
                    Err(why) => unusable.push((key, why)),
                }
            }
            if !hashes.is_empty() {
                keys.insert(key, hashes);
            }
        }
        (Self(keys), unusable)
    }

    /// The hashes of each key, in the order of [`Key::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Key, &[String])> {
        self.0.iter().map(|(key, hashes)| (*key, hashes.as_slice()))
    }
}

impl fmt::Debug for MatchKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys().map(|key| key.name())).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(values: &[(Key, &str)]) -> Contact {
        let mut contact = Contact::default();
        for (key, value) in values {
            contact.add(*key, *value);
        }
        contact
    }

    #[test]
    fn values_of_a_key_are_few_and_different() {
        let mut contact = contact(&[(Key::Em, "ana@example.com"), (Key::Em, " ANA@example.com"), (Key::Em, "broken")]);
        assert_eq!(MatchKeys::from_contact(&contact, None).1, [(Key::Em, Unusable::NotAnEmail)]);
        assert_eq!(MatchKeys::from_contact(&contact, None).0.iter().map(|(_, h)| h.len()).collect::<Vec<_>>(), [1]);
        for n in 0..50 {
            contact.add(Key::Em, format!("ana{n}@example.com"));
        }
        assert_eq!(MatchKeys::from_contact(&contact, None).0.iter().map(|(_, h)| h.len()).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn postal_codes_go_by_the_visitors_own_country() {
        let of = |country: &str| {
            let given = contact(&[(Key::Zp, "940251234"), (Key::Country, country)]);
            MatchKeys::from_contact(&given, Country::from_alpha2("DE")).0.0[&Key::Zp].clone()
        };
        assert_eq!(of("USA"), [normalize::sha256_hex("94025")]);
        assert_eq!(of("Germany"), [normalize::sha256_hex("940251234")]);
    }
}
