//! Tables of what goes in and what is hashed, and properties for everything else.

use proptest::prelude::*;

use super::*;

fn check(key: Key, region: Option<&str>, rows: &[(&str, Result<&str, Unusable>)]) {
    let region = region.map(|code| Country::from_alpha2(code).unwrap());
    for (raw, expected) in rows {
        let found = normalize(key, raw, region).map(|value| value.as_str().to_owned());
        assert_eq!(found, expected.map(str::to_owned), "{} {raw:?}", key.name());
    }
}

#[test]
fn metas_published_hashes_come_out() {
    for (key, region, raw, hash) in [
        (Key::Em, None, "John_Smith@gmail.com", "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"),
        (Key::Ph, Some("US"), "(650) 555-1212", "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"),
        (Key::Fn, None, "Mary", "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"),
        (Key::Fn, None, "정", "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14"),
        (Key::Ln, None, "Vale\u{301}ry", "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c"),
        (Key::Db, None, "1997-02-16", "01acdbf6ec7b4f478a225f1a246e5d6767eeab1a7ffa17f025265b5b94f40f0c"),
        (Key::Country, None, "USA", "79adb2a2fce5c6ba215fe5f27f532d4e7edbac4b6a5e09e1ef3a08084a904621"),
    ] {
        let value = normalize(key, raw, region.and_then(Country::from_alpha2)).unwrap();
        assert_eq!(value.sha256(), hash, "{raw}");
    }
}

#[test]
fn email_addresses() {
    use Unusable::{Empty, Malformed, NonAsciiLocalPart};
    check(
        Key::Em,
        None,
        &[
            (" Ana.Ruiz@Example.COM ", Ok("ana.ruiz@example.com")),
            ("ana.ruiz+tag@example.com", Ok("ana.ruiz+tag@example.com")),
            ("\u{feff}ana\u{200b}@example.com\u{a0}", Ok("ana@example.com")),
            ("mailto:ana@example.com", Ok("ana@example.com")),
            ("ana@bücher.example", Ok("ana@xn--bcher-kva.example")),
            ("jürgen@example.com", Err(NonAsciiLocalPart)),
            ("", Err(Empty)),
            (" \u{200b} ", Err(Empty)),
            ("ana", Err(Malformed)),
            ("@example.com", Err(Malformed)),
            ("ana@", Err(Malformed)),
            ("ana@localhost", Err(Malformed)),
            ("ana@@example.com", Err(Malformed)),
            ("ana@exam ple.com", Err(Malformed)),
            ("ana ruiz@example.com", Err(Malformed)),
            ("ana@example..com", Err(Malformed)),
            ("ana@192.0.2.1", Err(Malformed)),
            ("a@example.com, b@example.com", Err(Malformed)),
        ],
    );
}

#[test]
fn phone_numbers() {
    use Unusable::{Empty, ImplausibleLength, Malformed, NoCountryCode};
    check(
        Key::Ph,
        Some("DE"),
        &[
            ("0171 555 01234", Ok("4917155501234")),
            ("+49 (0)171 55501234", Ok("4917155501234")),
            ("0049171 55501234", Ok("4917155501234")),
            ("+49-171-555/01234", Ok("4917155501234")),
            ("4917155501234", Ok("4917155501234")),
            ("Tel.: 0171 555 01234", Ok("4917155501234")),
            ("030 5550123", Ok("49305550123")),
            ("+1 (650) 555-1212", Ok("16505551212")),
            ("+1 650 555 1212 ext. 5", Ok("16505551212")),
            ("+1 650 555 1212 x5", Ok("16505551212")),
            ("+1 650 555 1212 #5", Ok("16505551212")),
            ("+44 (0)20 7946 0958", Ok("442079460958")),
            ("+39 06 555 0123", Ok("39065550123")),
            ("٠١٧١٥٥٥٠١٢٣٤", Ok("4917155501234")),
            ("", Err(Empty)),
            ("none", Err(Malformed)),
            ("123", Err(ImplausibleLength)),
            ("+1234567890123456", Err(ImplausibleLength)),
        ],
    );
    check(Key::Ph, None, &[("0171 555 01234", Err(NoCountryCode)), ("+4917155501234", Ok("4917155501234"))]);
    check(Key::Ph, Some("US"), &[("1-650-555-1212", Ok("16505551212")), ("650.555.1212", Ok("16505551212"))]);
    check(Key::Ph, Some("IT"), &[("06 555 01234", Ok("390655501234")), ("347 555 0123", Ok("393475550123"))]);
    check(Key::Ph, Some("GB"), &[("020 7946 0958", Ok("442079460958"))]);
    check(Key::Ph, Some("FR"), &[("06 39 98 12 34", Ok("33639981234"))]);
    check(Key::Ph, Some("PL"), &[("512 555 123", Ok("48512555123"))]);
}

#[test]
fn names_and_places() {
    use Unusable::{Empty, Malformed};
    for key in [Key::Fn, Key::Ln] {
        check(
            key,
            None,
            &[
                (" Mary Ann ", Ok("maryann")),
                ("O’Brien", Ok("obrien")),
                ("O'Brien", Ok("obrien")),
                ("Jean–Luc", Ok("jeanluc")),
                ("JOSÉ", Ok("josé")),
                ("Dr. Ana", Ok("ana")),
                ("Frau Prof. Dr. Müller", Ok("müller")),
                ("Dr.", Ok("dr")),
                ("Москва", Ok("москва")),
                ("...", Err(Malformed)),
                ("ana@example.com", Err(Malformed)),
                ("\u{200b}", Err(Empty)),
            ],
        );
    }
    check(Key::Ct, None, &[("São Paulo", Ok("sãopaulo")), ("St. Louis 5", Ok("stlouis")), ("10115", Err(Malformed))]);
    check(
        Key::St,
        None,
        &[
            ("California", Ok("ca")),
            ("NY", Ok("ny")),
            ("State of West Virginia", Ok("wv")),
            ("Washington D.C.", Ok("dc")),
            ("Québec", Ok("qc")),
            ("New South Wales", Ok("newsouthwales")),
            ("Nordrhein-Westfalen", Ok("nordrheinwestfalen")),
        ],
    );
    check(
        Key::Zp,
        None,
        &[("SW1A 1AA", Ok("sw1a1aa")), ("94107-1234", Ok("94107")), ("1000-123", Ok("1000")), ("-", Err(Malformed))],
    );
    check(Key::Zp, Some("US"), &[("941071234", Ok("94107"))]);
}

#[test]
fn countries_by_code_and_by_name_and_never_by_a_part_of_it() {
    check(
        Key::Country,
        None,
        &[
            ("DE", Ok("de")),
            ("deu", Ok("de")),
            ("UK", Ok("gb")),
            ("England", Ok("gb")),
            ("Österreich", Ok("at")),
            ("Schweiz", Ok("ch")),
            ("Côte d'Ivoire", Ok("ci")),
            ("Nederland", Ok("nl")),
            ("Korea, Republic of", Ok("kr")),
            ("South Korea", Ok("kr")),
            ("Bolivia", Ok("bo")),
            ("Kenya", Ok("ke")),
            ("Türkiye", Ok("tr")),
            ("United States of America", Ok("us")),
            ("Germ", Err(Unusable::Unknown)),
            ("XX", Err(Unusable::Unknown)),
        ],
    );
}

#[test]
fn dates_that_only_one_reading_allows() {
    use Unusable::{Ambiguous, ImpossibleDate, Malformed};
    check(
        Key::Db,
        None,
        &[
            ("1990-02-03", Ok("19900203")),
            ("1990-02-03T00:00:00Z", Ok("19900203")),
            ("19900203", Ok("19900203")),
            ("3.2.1990", Ok("19900203")),
            ("31/12/1990", Ok("19901231")),
            ("12/31/1990", Ok("19901231")),
            ("04/04/1990", Ok("19900404")),
            ("03/04/1990", Err(Ambiguous)),
            ("3/4/90", Err(Ambiguous)),
            ("1990-02-30", Err(ImpossibleDate)),
            ("99999999", Err(ImpossibleDate)),
            ("1890-01-01", Err(ImpossibleDate)),
            ("yesterday", Err(Malformed)),
        ],
    );
}

#[test]
fn genders_by_word() {
    check(
        Key::Ge,
        None,
        &[
            ("Female", Ok("f")),
            ("Herr", Ok("m")),
            ("weiblich", Ok("f")),
            ("Hombre", Ok("m")),
            ("divers", Err(Unusable::Unknown)),
        ],
    );
}

#[test]
fn hashes_pass_through_anchored_and_lower_case() {
    let hash = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f";
    for raw in [hash.to_owned(), format!(" {} ", hash.to_uppercase()), format!("{hash}.AQ"), format!("{hash}.AQEBAQEB")]
    {
        let value = normalize(Key::Em, &raw, None).unwrap();
        assert_eq!((value.as_str(), value.sha256().as_str()), (hash, hash), "{raw}");
    }
    assert_eq!(normalize(Key::Em, &format!("{hash}0"), None), Err(Unusable::Malformed));
    assert_eq!(normalize(Key::Fn, "5d41402abc4b2a76b9719d911017c592", None), Err(Unusable::Md5));
    assert_eq!(normalize(Key::Em, EMPTY_HASH, None), Err(Unusable::Empty));
    assert!(normalize(Key::ExternalId, "5d41402abc4b2a76b9719d911017c592", None).is_ok());
}

proptest! {
    #[test]
    fn no_value_panics_and_none_is_hashed_empty(raw in "\\PC{0,80}|.{0,80}", index in 0..Key::ALL.len()) {
        for region in [None, Country::from_alpha2("DE"), Country::from_alpha2("US"), Country::from_alpha2("IT")] {
            if let Ok(value) = normalize(Key::ALL[index], &raw, region) {
                prop_assert!(!value.as_str().is_empty());
                prop_assert_eq!(value.sha256().len(), 64);
            }
        }
    }

    #[test]
    fn normalising_twice_changes_nothing(raw in "\\PC{0,60}|[a-z .]{1,12}@[a-z-]{1,10}\\.[a-z]{2,3}|\\+?[0-9 ()/-]{5,18}") {
        for key in [Key::Em, Key::Fn, Key::Ct, Key::Zp, Key::Country, Key::Db, Key::Ge, Key::ExternalId] {
            if let Ok(once) = normalize(key, &raw, None) {
                prop_assert_eq!(normalize(key, once.as_str(), None), Ok(once.clone()), "{}", key.name());
            }
        }
    }
}
