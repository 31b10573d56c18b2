//! Cities, states, postal codes.

use unicode_normalization::char::is_combining_mark;

use super::text::squeezed;
use super::{Country, Unusable};

/// US states, districts and territories, Canadian provinces and territories: code and squeezed name. Meta wants the code
/// for the US; for Canada its libraries do the same.
const STATES: [(&str, &str); 69] = [
    ("al", "alabama"),
    ("ak", "alaska"),
    ("az", "arizona"),
    ("ar", "arkansas"),
    ("ca", "california"),
    ("co", "colorado"),
    ("ct", "connecticut"),
    ("de", "delaware"),
    ("fl", "florida"),
    ("ga", "georgia"),
    ("hi", "hawaii"),
    ("id", "idaho"),
    ("il", "illinois"),
    ("in", "indiana"),
    ("ia", "iowa"),
    ("ks", "kansas"),
    ("ky", "kentucky"),
    ("la", "louisiana"),
    ("me", "maine"),
    ("md", "maryland"),
    ("ma", "massachusetts"),
    ("mi", "michigan"),
    ("mn", "minnesota"),
    ("ms", "mississippi"),
    ("mo", "missouri"),
    ("mt", "montana"),
    ("ne", "nebraska"),
    ("nv", "nevada"),
    ("nh", "newhampshire"),
    ("nj", "newjersey"),
    ("nm", "newmexico"),
    ("ny", "newyork"),
    ("nc", "northcarolina"),
    ("nd", "northdakota"),
    ("oh", "ohio"),
    ("ok", "oklahoma"),
    ("or", "oregon"),
    ("pa", "pennsylvania"),
    ("ri", "rhodeisland"),
    ("sc", "southcarolina"),
    ("sd", "southdakota"),
    ("tn", "tennessee"),
    ("tx", "texas"),
    ("ut", "utah"),
    ("vt", "vermont"),
    ("va", "virginia"),
    ("wa", "washington"),
    ("wv", "westvirginia"),
    ("wi", "wisconsin"),
    ("wy", "wyoming"),
    ("dc", "districtofcolumbia"),
    ("dc", "washingtondc"),
    ("as", "americansamoa"),
    ("gu", "guam"),
    ("mp", "northernmarianaislands"),
    ("pr", "puertorico"),
    ("vi", "usvirginislands"),
    ("ab", "alberta"),
    ("bc", "britishcolumbia"),
    ("mb", "manitoba"),
    ("nb", "newbrunswick"),
    ("nl", "newfoundlandandlabrador"),
    ("ns", "novascotia"),
    ("nt", "northwestterritories"),
    ("nu", "nunavut"),
    ("on", "ontario"),
    ("pe", "princeedwardisland"),
    ("qc", "quebec"),
    ("sk", "saskatchewan"),
];

/// Letters only, accents and other scripts kept.
pub fn city(clean: &str) -> Result<String, Unusable> {
    let value: String = squeezed(clean).chars().filter(|c| c.is_alphabetic() || is_combining_mark(*c)).collect();
    if value.is_empty() { Err(Unusable::Malformed) } else { Ok(value) }
}

/// The two letters of a US or Canadian state, by exact name; the whole name anywhere else. Never a part of it.
pub fn state(clean: &str) -> Result<String, Unusable> {
    let value = city(clean)?;
    let name = value.strip_prefix("stateof").unwrap_or(&value);
    let name = if name == "québec" { "quebec" } else { name };
    Ok(STATES.iter().find(|(_, known)| *known == name).map_or(value.clone(), |(code, _)| (*code).to_owned()))
}

/// Lower case, no spaces, cut at the first dash (all of Meta's libraries agree), the first five digits in the US.
pub fn zip(clean: &str, region: Option<Country>) -> Result<String, Unusable> {
    let value = squeezed(clean.split(['-', '–']).next().unwrap_or_default());
    let us = region.is_some_and(|region| region.alpha2() == "US");
    let value = if us && value.len() > 5 && value.bytes().all(|b| b.is_ascii_digit()) {
        value.chars().take(5).collect()
    } else {
        value
    };
    if value.is_empty() || value.chars().count() > 12 { Err(Unusable::Malformed) } else { Ok(value) }
}
