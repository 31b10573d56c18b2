//! `ge`: `f` or `m`, from words in the languages of the token table. Meta knows no third value, so anything else is
//! left out.

use super::Unusable;
use super::text::fold;

/// Words and forms of address, a language a line, as [`fold`] leaves them.
const FEMALE: &[&str] = &[
    "f|female|feminine|fem|woman|girl|lady|she|her|sheher|mrs|ms|miss|madam",
    "w|weiblich|frau|madchen|maedchen|dame",
    "feminin|femme|fille|madame|mme|mademoiselle|mlle|femelle",
    "mujer|femenino|femenina|hembra|chica|nina|sra|senora|srta|senorita",
    "donna|femmina|femminile|ragazza|signora|sigra|signorina",
    "mulher|feminino|feminina|femea|menina|rapariga|senhora",
    "vrouw|vrouwelijk|meisje|mevrouw|mevr|mw",
    "k|kobieta|kobiety|zenska|zenski|dziewczyna|pani",
    "kvinna|kvinnlig|flicka|tjej|fru|froken",
];
const MALE: &[&str] = &[
    "m|male|masculine|masc|man|boy|gentleman|he|him|hehim|mr|mister|sir",
    "mannlich|maennlich|mann|junge|herr",
    "h|homme|masculin|garcon|monsieur",
    "hombre|masculino|varon|chico|nino|sr|senor|caballero",
    "uomo|maschio|maschile|ragazzo|signor|signore|sig",
    "homem|menino|rapaz|senhor",
    "mannelijk|jongen|meneer|dhr|deheer",
    "mezczyzna|meska|meski|chlopiec|pan",
    "manlig|pojke|kille",
];

pub(super) fn normalize(raw: &str) -> Result<String, Unusable> {
    // `Male (m)`: said twice is as good as once.
    let mut words =
        raw.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(|word| one(&fold(word)));
    let said = || words.next().flatten().filter(|first| words.all(|word| word == Some(*first)));
    one(&fold(raw)).or_else(said).map(str::to_owned).ok_or(Unusable::UnknownGender)
}

fn one(word: &str) -> Option<&'static str> {
    let is_in = |list: &[&str]| list.iter().flat_map(|words| words.split('|')).any(|known| known == word);
    if is_in(FEMALE) { Some("f") } else { is_in(MALE).then_some("m") }
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
            ("M - Male", "m"),
        ] {
            assert_eq!(normalize(raw).as_deref(), Ok(expected), "{raw}");
        }
    }

    #[test]
    fn anything_else_is_left_out() {
        for raw in ["divers", "male/female", "x", "other", "1", "prefer not to say", "women's shoes"] {
            assert_eq!(normalize(raw), Err(Unusable::UnknownGender), "{raw}");
        }
        let words: Vec<&str> = FEMALE.iter().chain(MALE).flat_map(|words| words.split('|')).collect();
        for (at, word) in words.iter().enumerate() {
            assert_eq!(fold(word), *word);
            assert!(!words[..at].contains(word), "{word}");
        }
    }
}
