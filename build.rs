//! Lays out the numbering plans of all countries as lines of text for `src/lead/normalize/numbering.rs`. They are
//! libphonenumber's, by way of the `phonenumber` crate, whose own database would be read before the first number: tens of
//! milliseconds, and megabytes that stay.

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use phonenumber::Metadata;
use phonenumber::metadata::{DATABASE, Descriptor};

/// One more than the greatest country code.
const CODES: u16 = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    let mut lines = String::new();
    for code in 1..CODES {
        // The main region of a code comes first.
        for plan in DATABASE.by_code(&code).unwrap_or_default() {
            line(&mut lines, plan)?;
        }
    }
    let path = PathBuf::from(env::var("OUT_DIR")?).join("numbering.tsv");
    fs::write(path, lines)?;
    Ok(())
}

/// Region, country code, prefixes; then per kind of number its lengths and its pattern.
fn line(lines: &mut String, plan: &Metadata) -> Result<(), Box<dyn Error>> {
    let pattern = |pattern: &str| pattern.split_whitespace().collect::<String>();
    let mut fields = vec![
        plan.id().to_owned(),
        plan.country_code().to_string(),
        plan.international_prefix().map(|prefix| pattern(prefix.as_str())).unwrap_or_default(),
        plan.national_prefix().unwrap_or_default().to_owned(),
        plan.national_prefix_for_parsing().map(|prefix| pattern(prefix.as_str())).unwrap_or_default(),
        plan.national_prefix_transform_rule().unwrap_or_default().to_owned(),
    ];
    for kind in kinds(plan) {
        let lengths = kind.map(Descriptor::possible_length).unwrap_or_default();
        fields.push(lengths.iter().map(u16::to_string).collect::<Vec<_>>().join(","));
        fields.push(kind.map(|kind| pattern(kind.national_number().as_str())).unwrap_or_default());
    }
    if fields.iter().any(|field| field.contains(['\t', '\n'])) {
        return Err(format!("a field of {} cannot be laid out in a line", plan.id()).into());
    }
    writeln!(lines, "{}", fields.join("\t"))?;
    Ok(())
}

/// The kinds of number that a person may leave in a form; landlines and mobile phones first.
fn kinds(plan: &Metadata) -> [Option<&Descriptor>; 7] {
    let all = plan.descriptors();
    [all.fixed_line(), all.mobile(), all.voip(), all.personal_number(), all.toll_free(), all.shared_cost(), all.uan()]
}
