//! Field names and labels → what they mean.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::tokens::{
    EMAIL_STEMS, FILLERS, NOT_A_PERSON, NOT_THE_DATUM, PHONE_STEMS, PHONE_WORDS, PHRASES, Role, SOMEBODY_ELSES,
};
use super::words::{Group, Phrase, Words};
use crate::lead::contact::Key;
use crate::stems::Stems;

/// What a name, a label or a marker says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Meaning {
    /// It is this.
    Role(Role),
    /// It is something else, surely.
    NotContact,
    /// It says nothing.
    #[default]
    Unknown,
}

impl Meaning {
    /// The word for it, as in rules: a role, `ignore`, or nothing.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Role(role) => role.word(),
            Self::NotContact => "ignore",
            Self::Unknown => "",
        }
    }

    /// Whether it says nothing.
    // serde calls it with a reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub(super) fn is_unknown(&self) -> bool {
        *self == Self::Unknown
    }
}

impl From<Meaning> for String {
    fn from(meaning: Meaning) -> Self {
        meaning.word().to_owned()
    }
}

impl From<String> for Meaning {
    fn from(word: String) -> Self {
        match word.as_str() {
            "ignore" => Self::NotContact,
            word => Role::from_word(word).map_or(Self::Unknown, Self::Role),
        }
    }
}

/// Last segments that say nothing of their own: Drupal's `mail[0][value]`, lists.
const EMPTY_SEGMENTS: &[&str] = &["value", "und", "target", "input", "text"];

/// `b` of `a[b]`; a name without brackets as it is.
pub(super) fn last_bracket(name: &str) -> &str {
    name.trim_end_matches(']').rsplit('[').next().unwrap_or_default()
}

/// Reads the name of a field: `form_fields[email]`, `billing_last_name`, `ctl00$txtVorname`, `name-1-first-name`.
pub(super) fn of_name(name: &Words) -> Meaning {
    let telling = |segment: Phrase<'_>| !EMPTY_SEGMENTS.contains(&segment.joined());
    let Some(Group { before, parent, words: leaf }) = name.last_group(telling) else { return Meaning::Unknown };
    let about_a_thing = before.iter().any(|word| hint(word).not_a_person);
    // `name[first]`: the segment before says of what.
    let only = Some(leaf.joined()).filter(|_| leaf.iter().count() == 1);
    if let Some(word @ ("first" | "last")) = only {
        let of_a_name = matches!(of_words(parent), Meaning::Role(Role::Name));
        return match (of_a_name && !about_a_thing, word) {
            (false, _) => Meaning::Unknown,
            (true, "first") => Meaning::Role(Role::Match(Key::Fn)),
            (true, _) => Meaning::Role(Role::Match(Key::Ln)),
        };
    }
    match of_words(leaf) {
        // `company[name]` is no person's; `event[first_name]`, `company[email]` are.
        Meaning::Role(role) if about_a_thing && !is_own(role) => Meaning::NotContact,
        meaning => meaning,
    }
}

/// Reads a label: `E-Mail-Adresse *`, `Ihr Name (Pflichtfeld)`, `Nachname / Last name`.
pub(super) fn of_label(label: &str) -> Meaning {
    // "Phone number to reach you" is not about a recipient.
    let read = |text: &str| of_words(Words::of(text).without("to").all());
    let whole = read(label);
    if whole != Meaning::Unknown || !label.contains('/') {
        return whole;
    }
    // Two words for the same, or two things in one field.
    let mut parts = label.split('/').map(read).filter(|meaning| *meaning != Meaning::Unknown);
    let first = parts.next().unwrap_or_default();
    if parts.all(|part| part == first) { first } else { Meaning::Unknown }
}

/// Whether a label says that a datum is not the visitor's own: "E-Mail des Empfängers", "Fax".
pub(super) fn is_somebody_elses(label: &str) -> bool {
    Words::of(label).iter().any(is_of_another)
}

/// Whether a name or label has more words than the role it is read as: `supervisor_email`.
pub(super) fn is_qualified(text: &str) -> bool {
    let last = last_bracket(text);
    // What is nothing but the role has no more words, and is the most common.
    of_exact_label(last) == Meaning::Unknown && matches!(of_label(last), Meaning::Role(_))
}

/// Whether a full name tells its own order: `Ruiz, Ana`, `RUIZ Ana`.
pub(super) fn says_its_order(name: &str) -> bool {
    let is_capitals =
        |word: &str| word.chars().filter(|c| c.is_alphabetic()).count() > 1 && !word.chars().any(char::is_lowercase);
    let capitals = name.split_whitespace().filter(|word| is_capitals(word)).count();
    name.contains(',') || (capitals > 0 && capitals < name.split_whitespace().count())
}

/// Whether a word is of a firm or a thing, or of another person.
pub(super) fn is_of_a_thing(word: &str) -> bool {
    hint(word).not_a_person || is_of_another(word)
}

fn is_of_another(word: &str) -> bool {
    SOMEBODY_ELSES.iter().any(|other| word == *other || (other.len() >= 6 && word.starts_with(other)))
}

/// Reads a text that may be a label or anything else: it must be the phrase and nothing more.
pub(super) fn of_exact_label(text: &str) -> Meaning {
    let words = Words::of(text);
    match of_words(words.all()) {
        Meaning::Role(role) if ROLES.contains_key(without_fillers(words.all()).joined()) => Meaning::Role(role),
        _ => Meaning::Unknown,
    }
}

fn of_words(words: Phrase<'_>) -> Meaning {
    let whole = words.joined();
    let joined = without_fillers(words).joined();
    let hints: Hint = words.iter().map(hint).fold(Hint::default(), Hint::or);
    let of_another = || words.iter().any(is_of_another);
    let role = ROLES.get(joined).or_else(|| ROLES.get(whole)).copied().or_else(|| {
        if EMAILS.any_in(joined) {
            Some(Role::Match(Key::Em))
        } else if hints.phone || PHONES.any_in(joined) {
            Some(Role::Match(Key::Ph))
        } else {
            None
        }
    });
    match role {
        Some(role) if is_reachable(role) && (hints.not_the_datum || of_another()) => Meaning::NotContact,
        // `user_name` is what one logs in with, `user_last_name` is a name.
        Some(Role::Name) if whole.ends_with("username") => Meaning::NotContact,
        Some(role) => Meaning::Role(role),
        None if hints.not_a_person || hints.not_the_datum || of_another() => Meaning::NotContact,
        None => Meaning::Unknown,
    }
}

const fn is_reachable(role: Role) -> bool {
    matches!(role, Role::Match(Key::Em | Key::Ph))
}

const fn is_own(role: Role) -> bool {
    matches!(role, Role::Match(Key::Em | Key::Ph | Key::Fn | Key::Ln))
}

fn without_fillers(words: Phrase<'_>) -> Phrase<'_> {
    words.trim(|word| hint(word).filler)
}

/// What a word says wherever it stands.
#[derive(Clone, Copy, Default)]
struct Hint {
    filler: bool,
    not_a_person: bool,
    not_the_datum: bool,
    phone: bool,
}

impl Hint {
    const fn or(self, other: Self) -> Self {
        Self {
            filler: self.filler || other.filler,
            not_a_person: self.not_a_person || other.not_a_person,
            not_the_datum: self.not_the_datum || other.not_the_datum,
            phone: self.phone || other.phone,
        }
    }
}

fn hint(word: &str) -> Hint {
    HINTS.get(word).copied().unwrap_or_default()
}

static HINTS: LazyLock<HashMap<&str, Hint>> = LazyLock::new(|| {
    let lists: [(&[&str], Hint); 4] = [
        (FILLERS, Hint { filler: true, ..Hint::default() }),
        (NOT_A_PERSON, Hint { not_a_person: true, ..Hint::default() }),
        (NOT_THE_DATUM, Hint { not_the_datum: true, ..Hint::default() }),
        (PHONE_WORDS, Hint { phone: true, ..Hint::default() }),
    ];
    let mut hints = HashMap::new();
    for (word, hint) in lists.into_iter().flat_map(|(list, hint)| list.iter().map(move |word| (*word, hint))) {
        let known: &mut Hint = hints.entry(word).or_default();
        *known = known.or(hint);
    }
    hints
});

/// Of a phrase that is listed twice the first role counts.
static ROLES: LazyLock<HashMap<&str, Role>> = LazyLock::new(|| {
    let phrases = PHRASES.iter().rev().flat_map(|(role, list)| list.iter().map(|phrase| (*phrase, *role)));
    phrases.collect()
});

static EMAILS: LazyLock<Stems> = LazyLock::new(|| Stems::new(EMAIL_STEMS.iter().copied()));
static PHONES: LazyLock<Stems> = LazyLock::new(|| Stems::new(PHONE_STEMS.iter().copied()));

#[cfg(test)]
mod tests {
    use super::*;

    fn said(meaning: Meaning) -> &'static str {
        match meaning {
            Meaning::Role(role) => role.word(),
            Meaning::NotContact => "not",
            Meaning::Unknown => "?",
        }
    }

    #[test]
    fn names_are_read_in_nine_languages_and_in_any_dress() {
        for (name, role) in [
            ("email", "em"),
            ("E-Mail", "em"),
            ("your-email", "em"),
            ("form_fields[email]", "em"),
            ("mail[0][value]", "em"),
            ("jform[contact_email]", "em"),
            ("ctl00$Main$txtEmail", "em"),
            ("billing_email", "em"),
            ("useremail", "em"),
            ("kundenEmailPrivat", "em"),
            ("EMAIL", "em"),
            ("adresse-mail", "em"),
            ("correo_electronico", "em"),
            ("e-postadress", "em"),
            ("24_email_2", "em"),
            ("mf-email", "em"),
            ("emailconfirm", "em"),
            ("data[user][email]", "em"),
            ("sender_email", "em"),
            ("absender_name", "name"),
            ("name_first", "fn"),
            ("name_last", "ln"),
            ("guest_name", "name"),
            ("mobileno", "ph"),
            ("handynr", "ph"),
            ("tel-123", "ph"),
            ("phone", "ph"),
            ("PhoneNumber", "ph"),
            ("Telefonnummer", "ph"),
            ("handy", "ph"),
            ("num\u{e9}ro-tel", "ph"),
            ("m\u{f3}vil", "ph"),
            ("telem\u{f3}vel", "ph"),
            ("telefon_privat", "ph"),
            ("kom\u{f3}rka", "ph"),
            ("tel_mobile", "ph"),
            ("first_name", "fn"),
            ("firstName", "fn"),
            ("FNAME", "fn"),
            ("Vorname", "fn"),
            ("pr\u{e9}nom", "fn"),
            ("imi\u{119}", "fn"),
            ("names[first_name]", "fn"),
            ("name-1-first-name", "fn"),
            ("name[first]", "fn"),
            ("user_first_name", "fn"),
            ("f\u{f6}rnamn", "fn"),
            ("last-name", "ln"),
            ("nachname", "ln"),
            ("apellidos", "ln"),
            ("your-name[last]", "ln"),
            ("nazwisko", "ln"),
            ("name", "name"),
            ("your-name", "name"),
            ("contact[name]", "name"),
            ("name_2", "name"),
            ("nom", "name"),
            ("Vollst\u{e4}ndiger Name", "name"),
            ("imi\u{119}-i-nazwisko", "name"),
            ("enquiry_name", "name"),
            ("booking_name", "name"),
            ("nome_cognome", "name"),
            ("city", "ct"),
            ("address_1[city]", "ct"),
            ("Ort", "ct"),
            ("miejscowo\u{15b}\u{107}", "ct"),
            ("citt\u{e0}", "ct"),
            ("address-1-zip", "zp"),
            ("PLZ", "zp"),
            ("c\u{f3}digo-postal", "zp"),
            ("cap", "zp"),
            ("billing_state", "st"),
            ("wojew\u{f3}dztwo", "st"),
            ("country", "country"),
            ("land", "country"),
            ("date_of_birth", "db"),
            ("geburtsdatum", "db"),
            ("anrede", "ge"),
            ("civilit\u{e9}", "ge"),
        ] {
            assert_eq!(said(of_name(&Words::of(name))), role, "{name}");
        }
    }

    #[test]
    fn what_only_looks_like_contact_data_is_left_alone() {
        for name in [
            "import",
            "support",
            "report",
            "sportstadt",
            "captcha",
            "capacity",
            "landmark",
            "statement",
            "kontonummer",
            "hausnummer",
            "kundennummer",
            "personnummer",
            "hotel",
            "message",
            "your-subject",
            "nachricht",
            "company",
            "company_name",
            "company[name]",
            "firma",
            "bedrijfsnaam",
            "user_name",
            "username",
            "nickname",
            "project_name",
            "product[name]",
            "fax",
            "telefax",
            "recipient_email",
            "friend_email",
            "pet_name",
            "id",
            "x",
            "",
            "kod_rabatowy",
            "partner_phone",
            "email_subject",
            "domain-name",
            "first",
            "fields[1][first]",
            "street_name",
        ] {
            let meaning = of_name(&Words::of(name));
            assert!(!matches!(meaning, Meaning::Role(_)), "{name} read as {}", said(meaning));
        }
    }

    #[test]
    fn labels_are_read_like_names_with_more_words_around() {
        for (label, role) in [
            ("E-Mail-Adresse *", "em"),
            ("Your email (required)", "em"),
            ("Ihr Name (Pflichtfeld)", "name"),
            ("Telefon / Mobil", "ph"),
            ("Pr\u{e9}nom", "fn"),
            ("Nombre y apellidos", "name"),
            ("Firma", "not"),
            ("Postleitzahl", "zp"),
            ("Your message (optional)", "not"),
            ("Mobilfunknummer", "ph"),
            ("Voor- en achternaam", "name"),
            ("F\u{f6}r- och efternamn", "name"),
            ("Name, Vorname", "name_last_first"),
            ("Nom et pr\u{e9}nom", "name_last_first"),
            ("Cognome e nome", "name_last_first"),
            ("Tus apellidos", "ln"),
            ("What's your name?", "name"),
            ("Zip/Postal Code", "zp"),
            ("State / Province", "st"),
            ("Your doctor's phone", "not"),
            ("Referral email", "not"),
            ("E-Mail des Empf\u{e4}ngers", "not"),
            ("Name des Kindes", "not"),
            ("Nachname / Last name", "ln"),
            ("PLZ / Ort", "?"),
            ("Vor- und Zuname", "name"),
            ("Ansprechpartner/in", "name"),
            ("Contact No.", "ph"),
            ("I agree to the terms", "?"),
        ] {
            assert_eq!(said(of_label(label)), role, "{label}");
        }
    }
}
