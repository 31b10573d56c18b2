//! `country`: ISO 3166-1 alpha-2, from codes and names in many languages.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use super::text::fold;

/// A country by its ISO 3166-1 alpha-2 code.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// An alpha-2 code of a country that exists, in either case. `UK` and `EL`, which the European Union writes, are
    /// taken for `GB` and `GR`.
    #[must_use]
    pub fn from_alpha2(code: &str) -> Option<Self> {
        let is_code = code.len() == 2 && code.bytes().all(|b| b.is_ascii_alphabetic());
        is_code.then(|| INDEX.get(&code.to_ascii_lowercase()).copied()).flatten()
    }

    /// A name (see `countries.txt` for the languages), an alpha-2 or an alpha-3 code. Whole names only: a part of a
    /// name, or one with something added, is not guessed at; an article and a remark in brackets are ignored, and a name
    /// may be given twice (`Suisse/Schweiz`, `DE - Germany`).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        one_name(name).or_else(|| one_name(name.split_once('(')?.0)).or_else(|| {
            let separator = ["/", " - ", ","].into_iter().find(|separator| name.contains(separator))?;
            let mut named = name.split(separator).map(one_name);
            let first = named.next()??;
            named.all(|other| other == Some(first)).then_some(first)
        })
    }

    /// The country that a host name belongs to: `example.de`. Top-level domains that the whole world uses belong to none.
    #[must_use]
    pub fn of_host(host: &str) -> Option<Self> {
        let (_, top) = host.trim_end_matches('.').rsplit_once('.')?;
        let worldwide = WORLDWIDE.iter().any(|other| other.eq_ignore_ascii_case(top));
        if worldwide { None } else { Self::from_alpha2(top) }
    }

    /// The code, upper case.
    #[must_use]
    pub fn alpha2(self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.alpha2())
    }
}

fn one_name(name: &str) -> Option<Country> {
    let find = |name: &str| INDEX.get(&fold(name)).copied();
    find(name).or_else(|| {
        let (article, rest) = name.trim_start().split_once([' ', '\'', '’'])?;
        find(rest).filter(|_| ARTICLES.contains(&article.to_lowercase().as_str()))
    })
}

/// Of names of countries, in the languages that have any.
const ARTICLES: &[&str] = &[
    "the", "die", "der", "das", "le", "la", "les", "l", "el", "los", "las", "il", "lo", "gli", "i", "o", "a", "os",
    "as", "de", "het",
];

/// Country-code domains that are sold for what their letters look like.
const WORLDWIDE: &[&str] = &[
    "ac", "ag", "ai", "am", "as", "bz", "cc", "cd", "cf", "co", "cx", "dj", "fm", "ga", "gd", "gg", "gl", "gq", "gs",
    "im", "io", "la", "lc", "ly", "me", "mn", "ms", "mu", "nu", "pm", "pn", "pw", "re", "sc", "sh", "sr", "st", "su",
    "tc", "tf", "tk", "tl", "to", "tv", "vc", "vg", "vu", "wf", "ws", "yt",
];

/// Folded codes and names.
static INDEX: LazyLock<HashMap<String, Country>> = LazyLock::new(|| entries().collect());

fn entries() -> impl Iterator<Item = (String, Country)> {
    let lines = include_str!("countries.txt").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(' ')).flat_map(|(code, rest)| {
        let country = Country([0, 1].map(|at| code.as_bytes().get(at).copied().unwrap_or_default()));
        let (alpha3, names) = rest.split_once(' ').unwrap_or_default();
        let keys = [code, alpha3].map(fold).into_iter().chain(names.split('|').flat_map(spellings));
        keys.map(move |key| (key, country))
    })
}

/// A name as keyboards without umlauts, and lists that spell things out, write it.
fn spellings(name: &str) -> [String; 3] {
    let without_umlauts = name.to_lowercase().replace('ä', "ae").replace('ö', "oe").replace('ü', "ue");
    let spelt_out = name.replace(" & ", " and ").replace("St. ", "Saint ");
    [fold(name), fold(&without_umlauts), fold(&spelt_out)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_in_many_languages_are_understood() {
        for (name, code) in [
            ("de", "DE"),
            ("DEU", "DE"),
            ("Germany", "DE"),
            ("Deutschland", "DE"),
            ("ALEMANIA", "DE"),
            ("Niemcy", "DE"),
            ("Tyskland", "DE"),
            ("Duitsland", "DE"),
            ("Alemanha", "DE"),
            ("Allemagne", "DE"),
            ("Germania", "DE"),
            ("UK", "GB"),
            ("U.K.", "GB"),
            ("England", "GB"),
            ("Österreich", "AT"),
            ("Oesterreich", "AT"),
            ("Schweiz", "CH"),
            ("USA", "US"),
            ("U.S.", "US"),
            ("United States of America", "US"),
            ("EE.UU.", "US"),
            ("The Netherlands", "NL"),
            ("Trinidad and Tobago", "TT"),
            ("Saint Lucia", "LC"),
            ("Bolivia (Plurinational State of)", "BO"),
            ("🇩🇪 Deutschland", "DE"),
            ("日本", "JP"),
            ("Россия", "RU"),
            ("Türkiye", "TR"),
            ("Turkey", "TR"),
            ("die Schweiz", "CH"),
            ("L'Italie", "IT"),
            ("Suisse/Schweiz", "CH"),
            ("DE - Germany", "DE"),
            ("England, UK", "GB"),
            ("Côte d'Ivoire", "CI"),
            ("Niger", "NE"),
            ("Nigeria", "NG"),
        ] {
            assert_eq!(Country::from_name(name).map(Country::alpha2).as_deref(), Some(code), "{name}");
        }
    }

    #[test]
    fn unknown_names_are_not_guessed_at() {
        for name in ["", "Atlantis", "Ger", "zz", "Germany and Austria", "Germany/Austria", "Germany, Europe", "the"] {
            assert_eq!(Country::from_name(name), None, "{name}");
        }
        assert_eq!(Country::from_alpha2("DEU"), None);
        assert_eq!(Country::from_alpha2("zz"), None);
        assert_eq!(Country::from_alpha2("日"), None);
        assert_eq!(Country::from_alpha2("gb"), Country::from_alpha2("UK"));
    }

    #[test]
    fn a_host_has_the_country_of_its_top_level_domain() {
        for (host, code) in [
            ("example.de", Some("DE")),
            ("shop.example.co.uk", Some("GB")),
            ("EXAMPLE.IT.", Some("IT")),
            ("example.com", None),
            ("example.io", None),
            ("example.eu", None),
            ("203.0.113.42", None),
            ("localhost", None),
            ("de", None),
        ] {
            assert_eq!(Country::of_host(host).map(Country::alpha2).as_deref(), code, "{host}");
        }
    }

    #[test]
    fn no_name_belongs_to_two_countries() {
        let mut seen = HashMap::new();
        for (key, country) in entries() {
            assert!(!key.is_empty());
            assert_eq!(*seen.entry(key.clone()).or_insert(country), country, "{key}");
        }
        let countries: std::collections::HashSet<_> = seen.values().collect();
        assert_eq!(countries.len(), 250);
    }
}
