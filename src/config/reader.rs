//! Typed access to the values that won: each read is checked, and every mistake is noted with its place.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;

use super::error::{ConfigError, Place};
use super::layers::{Located, Raw};
use super::parse;
use super::table::{Kind, Setting};

/// Typed access to one table's values; mistakes go to `errors`.
pub struct Reader<'a> {
    pub values: &'a BTreeMap<String, Located>,
    pub rows: &'static [Setting],
    pub prefix: &'a str,
    pub errors: &'a mut Vec<ConfigError>,
}

impl Reader<'_> {
    fn row(&self, key: &str) -> Option<&'static Setting> {
        self.rows.iter().find(|row| row.key == key)
    }

    pub fn given(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    pub fn error(&mut self, key: &str, problem: &str) {
        let located = self.values.get(key);
        let secret = self.row(key).is_some_and(|row| matches!(row.kind, Kind::Secret));
        let found = located.filter(|_| !secret).and_then(|located| match &located.value {
            Raw::Text(text) => Some(parse::without_user(text)),
            _ => None,
        });
        let place = located.map_or(Place::Nowhere, |located| located.place.clone());
        self.errors.push(ConfigError {
            place,
            key: format!("{}{key}", self.prefix),
            found,
            problem: problem.to_owned(),
        });
    }

    /// The value as written, or the table's default; checked where the table says what it may be.
    pub fn text(&mut self, key: &str) -> String {
        let Some(row) = self.row(key) else { return String::new() };
        let Some(Raw::Text(text)) = self.values.get(key).map(|located| &located.value) else {
            return row.default.to_owned();
        };
        let fits = match row.kind {
            Kind::Choice(words) => words.contains(&text.as_str()),
            Kind::Bool => matches!(text.as_str(), "true" | "false"),
            Kind::Integer { min, max } => {
                text.replace('_', "").parse::<u64>().is_ok_and(|number| (min..=max).contains(&number))
            }
            Kind::Size => parse::size(text).is_some(),
            Kind::Duration => parse::duration(text).is_some(),
            _ => true,
        };
        if fits {
            return text.clone();
        }
        self.error(key, &format!("write {}", row.kind.expected()));
        row.default.to_owned()
    }

    pub fn optional(&mut self, key: &str) -> Option<String> {
        Some(self.text(key)).filter(|text| !text.is_empty())
    }

    pub fn with<T>(&mut self, key: &str, convert: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let text = self.optional(key)?;
        convert(&text).map_err(|problem| self.error(key, &problem)).ok()
    }

    pub fn flag(&mut self, key: &str) -> bool {
        self.text(key) == "true"
    }

    pub fn count(&mut self, key: &str) -> Option<usize> {
        self.text(key).replace('_', "").parse().ok()
    }

    pub fn size(&mut self, key: &str) -> usize {
        parse::size(&self.text(key)).unwrap_or_default()
    }

    pub fn duration(&mut self, key: &str) -> Duration {
        parse::duration(&self.text(key)).unwrap_or_default()
    }

    pub fn secret(&mut self, key: &str) -> Option<SecretString> {
        match self.values.get(key).map(|located| &located.value) {
            Some(Raw::Text(text)) if !text.trim().is_empty() => Some(SecretString::from(text.trim().to_owned())),
            _ => None,
        }
    }

    pub fn secret_file(&mut self, key: &str, path: &Path) -> Option<SecretString> {
        match std::fs::read_to_string(path) {
            Ok(text) if !text.trim().is_empty() => Some(SecretString::from(text.trim().to_owned())),
            Ok(_) => {
                self.error(key, &format!("the file {} is empty; put the token into it", path.display()));
                None
            }
            Err(error) => {
                self.error(key, &format!("cannot read {}: {error}", path.display()));
                None
            }
        }
    }

    pub fn list<T>(&mut self, key: &str, convert: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let Some(Raw::List(items)) = self.values.get(key).map(|located| &located.value) else { return Vec::new() };
        let mut list = Vec::new();
        for item in items {
            let Raw::Text(text) = &item.value else { continue };
            match convert(text) {
                Ok(value) => list.push(value),
                Err(problem) => self.errors.push(ConfigError {
                    place: item.place.clone(),
                    key: format!("{}{key}", self.prefix),
                    found: Some(text.clone()),
                    problem,
                }),
            }
        }
        list
    }

    pub fn map(&mut self, key: &str, convert: impl Fn(&str) -> Result<String, String>) -> Vec<(String, String)> {
        let Some(Raw::Table(entries)) = self.values.get(key).map(|located| &located.value) else { return Vec::new() };
        let mut list = Vec::new();
        for (name, item) in entries {
            let Raw::Text(text) = &item.value else { continue };
            match convert(text) {
                Ok(value) => list.push((name.clone(), value)),
                Err(problem) => self.errors.push(ConfigError {
                    place: item.place.clone(),
                    key: format!("{}{key}.{name}", self.prefix),
                    found: Some(text.clone()),
                    problem,
                }),
            }
        }
        list
    }

    pub fn table<T>(
        &mut self,
        key: &str,
        rows: &'static [Setting],
        build: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> Option<T> {
        let Raw::Table(values) = &self.values.get(key)?.value else { return None };
        let prefix = format!("{}{key}.", self.prefix);
        Some(build(&mut Reader { values, rows, prefix: &prefix, errors: self.errors }))
    }

    pub fn tables<T>(&mut self, key: &str, rows: &'static [Setting], build: impl Fn(&mut Reader<'_>) -> T) -> Vec<T> {
        let Some(Raw::List(tables)) = self.values.get(key).map(|located| &located.value) else { return Vec::new() };
        let prefix = format!("{}{key}.", self.prefix);
        let mut list = Vec::new();
        for table in tables {
            let Raw::Table(values) = &table.value else { continue };
            // A missing key has no line of its own: its table's line says where to add it.
            let before = self.errors.len();
            list.push(build(&mut Reader { values, rows, prefix: &prefix, errors: self.errors }));
            for error in self.errors.iter_mut().skip(before).filter(|error| error.place == Place::Nowhere) {
                error.place = table.place.clone();
            }
        }
        list
    }
}
