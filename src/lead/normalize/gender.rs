//! `ge`: `f` or `m`, from words in the languages of the token table. Meta knows no third value, so anything else is
//! left out.

use super::Unusable;
use super::text::fold;

/// Words and salutations, folded.
const FEMALE: &[&str] = &[
    "f",
    "female",
    "woman",
    "girl",
    "she",
    "w",
    "weiblich",
    "frau",
    "feminin",
    "femme",
    "fille",
    "madame",
    "mme",
    "mujer",
    "femenino",
    "hembra",
    "sra",
    "senora",
    "donna",
    "femmina",
    "femminile",
    "signora",
    "mulher",
    "feminino",
    "senhora",
    "vrouw",
    "vrouwelijk",
    "mevrouw",
    "mevr",
    "kobieta",
    "zenska",
    "pani",
    "kvinna",
    "kvinnlig",
    "mrs",
    "ms",
    "miss",
];
const MALE: &[&str] = &[
    "m",
    "male",
    "man",
    "boy",
    "he",
    "mannlich",
    "maennlich",
    "mann",
    "herr",
    "h",
    "homme",
    "masculin",
    "garcon",
    "monsieur",
    "hombre",
    "masculino",
    "varon",
    "sr",
    "senor",
    "uomo",
    "maschio",
    "maschile",
    "signor",
    "homem",
    "senhor",
    "mannelijk",
    "meneer",
    "dhr",
    "mezczyzna",
    "meska",
    "pan",
    "manlig",
    "mr",
];

pub(super) fn normalize(raw: &str) -> Result<String, Unusable> {
    let word = fold(raw);
    if FEMALE.contains(&word.as_str()) {
        Ok("f".to_owned())
    } else if MALE.contains(&word.as_str()) {
        Ok("m".to_owned())
    } else {
        Err(Unusable::UnknownGender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_several_languages_mean_f_or_m() {
        for (raw, expected) in [
            ("Female", "f"),
            ("W", "f"),
            ("weiblich", "f"),
            ("Señora", "f"),
            ("Mężczyzna", "m"),
            (" männlich ", "m"),
            ("Mr.", "m"),
            ("kvinna", "f"),
        ] {
            assert_eq!(normalize(raw).as_deref(), Ok(expected), "{raw}");
        }
    }

    #[test]
    fn anything_else_is_left_out() {
        for raw in ["divers", "x", "other", "1", "prefer not to say", "women's shoes"] {
            assert_eq!(normalize(raw), Err(Unusable::UnknownGender), "{raw}");
        }
        assert!(!FEMALE.iter().any(|word| MALE.contains(word)));
    }
}
