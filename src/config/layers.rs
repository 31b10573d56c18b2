//! The sources side by side: for each key the value that wins, with its place.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::error::{ConfigError, Place};
use super::file;
use super::table::{Kind, SETTINGS, Setting};

/// Where settings come from.
#[derive(Debug, Default, Clone)]
pub struct Sources {
    /// The TOML file.
    pub file: Option<PathBuf>,
    /// Environment variables; only those of the table are looked at.
    pub env: BTreeMap<String, String>,
    /// Flags by name without dashes.
    pub flags: BTreeMap<String, Vec<String>>,
}

/// A value as written, whatever the source.
#[derive(Debug, Clone, PartialEq)]
pub enum Raw {
    /// A scalar.
    Text(String),
    /// A list.
    List(Vec<Located>),
    /// A table.
    Table(BTreeMap<String, Located>),
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// The value.
    pub value: Raw,
    /// Where it is written.
    pub place: Place,
}

/// The winning values by key.
#[derive(Debug, Default)]
pub struct Layers {
    /// By dotted key.
    pub values: BTreeMap<&'static str, Located>,
}

impl Layers {
    /// Reads all sources. Values are not validated here, keys are.
    pub fn read(sources: &Sources, errors: &mut Vec<ConfigError>) -> Self {
        let mut layers = Self::default();
        if let Some(path) = &sources.file {
            file::read(path, &mut layers, errors);
        }
        for setting in SETTINGS {
            let given = setting.env_name().and_then(|name| Some((sources.env.get(&name)?, name)));
            // An empty variable is how a container manifest says "not set".
            if let Some((text, name)) = given.filter(|(text, _)| !text.is_empty()) {
                let list =
                    if setting.is_list() { text.split(',').map(str::trim).collect() } else { vec![text.as_str()] };
                layers.put(setting, &list, &Place::Env(name));
            }
            if let Some((values, name)) = setting.flag_name().and_then(|name| Some((sources.flags.get(&name)?, name))) {
                layers.put(setting, &values.iter().map(String::as_str).collect::<Vec<_>>(), &Place::Flag(name));
            }
        }
        layers
    }

    fn put(&mut self, setting: &Setting, values: &[&str], place: &Place) {
        let located = |text: &str| Located { value: Raw::Text(text.to_owned()), place: place.clone() };
        let value = if setting.is_list() {
            let texts = values.iter().flat_map(|value| value.split(',')).map(str::trim).filter(|text| !text.is_empty());
            Raw::List(texts.map(located).collect())
        } else {
            Raw::Text(values.last().copied().unwrap_or_default().to_owned())
        };
        self.values.insert(setting.key, Located { value, place: place.clone() });
    }

    /// The winning values by key.
    #[must_use]
    pub fn by_name(&self) -> BTreeMap<String, Located> {
        self.values.iter().map(|(key, located)| ((*key).to_owned(), located.clone())).collect()
    }

    /// The winning value of a key, as one text, to compare two configurations. Secrets are not part of it.
    #[must_use]
    pub fn comparable(&self) -> BTreeMap<&'static str, String> {
        let secret = |key: &str| SETTINGS.iter().any(|s| s.key == key && matches!(s.kind, Kind::Secret));
        self.values.iter().filter(|(key, _)| !secret(key)).map(|(key, located)| (*key, flat(&located.value))).collect()
    }
}

fn flat(raw: &Raw) -> String {
    match raw {
        Raw::Text(text) => text.clone(),
        Raw::List(list) => list.iter().map(|item| flat(&item.value)).collect::<Vec<_>>().join("\n"),
        Raw::Table(table) => {
            table.iter().map(|(key, item)| format!("{key}={}", flat(&item.value))).collect::<Vec<_>>().join("\n")
        }
    }
}
