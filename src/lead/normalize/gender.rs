//! `f` or `m`: the words of the languages that forms are read in. Anything else is nobody's business.

use super::Unusable;
use super::text::squeezed;

const FEMALE: [&str; 28] = [
    "f", "female", "woman", "girl", "mrs", "ms", "miss", "w", "weiblich", "frau", "femme", "féminin", "madame", "mme",
    "mujer", "femenino", "señora", "sra", "donna", "femmina", "signora", "mulher", "feminino", "vrouw", "kobieta",
    "pani", "kvinna", "mevrouw",
];
const MALE: [&str; 24] = [
    "m",
    "male",
    "man",
    "boy",
    "mr",
    "männlich",
    "mann",
    "herr",
    "homme",
    "masculin",
    "monsieur",
    "hombre",
    "masculino",
    "señor",
    "sr",
    "uomo",
    "maschio",
    "signore",
    "homem",
    "mężczyzna",
    "pan",
    "meneer",
    "dhr",
    "mâle",
];

/// The letter.
pub fn gender(clean: &str) -> Result<String, Unusable> {
    let word = squeezed(clean);
    match word.as_str() {
        word if FEMALE.contains(&word) => Ok("f".to_owned()),
        word if MALE.contains(&word) => Ok("m".to_owned()),
        _ => Err(Unusable::Unknown),
    }
}
