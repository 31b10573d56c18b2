//! The TOML file: its keys checked against the table, its values kept with their lines.

use std::collections::BTreeMap;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place};
use super::layers::{Layers, Located, Raw};
use super::table::{Kind, SETTINGS, Setting};

/// Reads the file into `layers`.
pub fn read(path: &Path, layers: &mut Layers, errors: &mut Vec<ConfigError>) {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let problem = format!("cannot read the configuration file {}: {error}", path.display());
            errors.push(ConfigError { place: Place::Flag("config".into()), key: String::new(), found: None, problem });
            return;
        }
    };
    let file = File { path, text: &text };
    match DeTable::parse(&text) {
        Ok(table) => {
            let mut walk = Walk { file: &file, errors, found: BTreeMap::new() };
            walk.table(table.get_ref(), "");
            layers.values.extend(walk.found);
        }
        Err(error) => {
            let place = file.place(error.span().map_or(0, |span| span.start));
            let problem = format!("not valid TOML: {}", error.message());
            errors.push(ConfigError { place, key: String::new(), found: None, problem });
        }
    }
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn place(&self, offset: usize) -> Place {
        let before = self.text.as_bytes().get(..offset).unwrap_or_default();
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        Place::File { path: self.path.to_owned(), line }
    }
}

struct Walk<'a> {
    file: &'a File<'a>,
    errors: &'a mut Vec<ConfigError>,
    found: BTreeMap<&'static str, Located>,
}

impl Walk<'_> {
    /// A table of the file that is only a prefix of keys: `[limits]`.
    fn table(&mut self, table: &DeTable<'_>, prefix: &str) {
        for (key, value) in table {
            let full = format!("{prefix}{}", key.get_ref());
            let is_prefix = SETTINGS
                .iter()
                .any(|s| !s.is_pixel_shorthand() && s.key.strip_prefix(&full).is_some_and(|r| r.starts_with('.')));
            if let Some(setting) = SETTINGS.iter().find(|s| s.key == full && !s.is_pixel_shorthand()) {
                if let Some(located) = self.value(value, setting.kind, &full) {
                    self.found.insert(setting.key, located);
                }
            } else if let (true, DeValue::Table(inner)) = (is_prefix, value.get_ref()) {
                self.table(inner, &format!("{full}."));
            } else {
                let known = SETTINGS.iter().filter(|s| !s.is_pixel_shorthand()).flat_map(|s| {
                    // `limit` is meant to be `[limits]`, `upstrem` to be `upstream`.
                    [s.key, s.key.split('.').next().unwrap_or_default()]
                });
                self.unknown(key.span().start, &full, known);
            }
        }
    }

    /// A table with rows of its own: `[[pixel]]`.
    fn rows(&mut self, table: &DeTable<'_>, settings: &[Setting], prefix: &str) -> BTreeMap<String, Located> {
        let mut found = BTreeMap::new();
        for (key, value) in table {
            let full = format!("{prefix}.{}", key.get_ref());
            let Some(setting) = settings.iter().find(|s| s.key == key.get_ref().as_ref()) else {
                let prefixed: Vec<_> = settings.iter().map(|s| format!("{prefix}.{}", s.key)).collect();
                self.unknown(key.span().start, &full, prefixed.iter().map(String::as_str));
                continue;
            };
            if let Some(located) = self.value(value, setting.kind, &full) {
                found.insert(setting.key.to_owned(), located);
            }
        }
        found
    }

    fn unknown<'k>(&mut self, at: usize, key: &str, known: impl Iterator<Item = &'k str>) {
        let nearest = known
            .map(|candidate| (strsim::jaro_winkler(candidate, key), candidate))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(similarity, _)| *similarity > 0.8);
        let problem = match nearest {
            Some((_, candidate)) => format!("unknown key; did you mean {candidate}?"),
            None => "unknown key; `capi-sidecar settings` lists all of them".to_owned(),
        };
        self.errors.push(ConfigError { place: self.file.place(at), key: key.to_owned(), found: None, problem });
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, kind: Kind, key: &str) -> Option<Located> {
        let place = self.file.place(value.span().start);
        let raw = match (value.get_ref(), kind) {
            (DeValue::Table(table), Kind::Table(settings)) => Raw::Table(self.rows(table, settings, key)),
            (DeValue::Table(table), Kind::Map) => {
                let entries = table.iter().filter_map(|(name, value)| {
                    let full = format!("{key}.{}", name.get_ref());
                    Some((name.get_ref().to_string(), self.value(value, Kind::Text, &full)?))
                });
                Raw::Table(entries.collect())
            }
            (DeValue::Array(array), Kind::Tables(settings)) => {
                let tables = array.iter().map(|item| match item.get_ref() {
                    DeValue::Table(table) => {
                        let place = self.file.place(item.span().start);
                        Some(Located { value: Raw::Table(self.rows(table, settings, key)), place })
                    }
                    _ => None,
                });
                let Some(tables) = tables.collect() else { return self.wrong(place, key, kind, value) };
                Raw::List(tables)
            }
            (DeValue::Array(array), Kind::List(inner)) => {
                Raw::List(array.iter().filter_map(|item| self.value(item, *inner, key)).collect())
            }
            // One of them needs no brackets.
            (DeValue::String(_) | DeValue::Integer(_), Kind::List(inner)) => {
                Raw::List(self.value(value, *inner, key).into_iter().collect())
            }
            (_, Kind::Tables(_) | Kind::Table(_) | Kind::Map | Kind::List(_)) => {
                return self.wrong(place, key, kind, value);
            }
            (DeValue::String(text), _) => Raw::Text(text.to_string()),
            (DeValue::Integer(number), _) => Raw::Text(number.as_str().to_owned()),
            (DeValue::Float(number), _) => Raw::Text(number.as_str().to_owned()),
            (DeValue::Boolean(yes), _) => Raw::Text(yes.to_string()),
            _ => return self.wrong(place, key, kind, value),
        };
        Some(Located { value: raw, place })
    }

    fn wrong(&mut self, place: Place, key: &str, kind: Kind, value: &Spanned<DeValue<'_>>) -> Option<Located> {
        let problem = format!("{} where {} belongs", value.get_ref().type_str(), kind.expected());
        self.errors.push(ConfigError { place, key: key.to_owned(), found: None, problem });
        None
    }
}
