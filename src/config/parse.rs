//! Texts → values, for every source alike.

use std::net::SocketAddr;
use std::time::Duration;

/// `"25ms"`, `"30s"`, `"5m"`, `"1h"`, `"2d"`; a bare number needs its unit, since nobody agrees on one.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let millis = match unit.trim() {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60 * 1000,
        "h" => 3600 * 1000,
        "d" => 24 * 3600 * 1000,
        _ => return None,
    };
    // A year is longer than any of them can sensibly be, and short enough for every clock.
    number.checked_mul(millis).map(Duration::from_millis).filter(|d| *d <= Duration::from_secs(366 * 24 * 3600))
}

/// `"1MiB"`, `"512KiB"`, `"64kB"`, `"4096"`.
#[must_use]
pub fn size(text: &str) -> Option<usize> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" | "k" => 1 << 10,
        "kb" => 1000,
        "mib" | "m" => 1 << 20,
        "mb" => 1_000_000,
        "gib" | "g" => 1 << 30,
        "gb" => 1_000_000_000,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(unit)
}

/// `IP:port`, or `:port` for every address.
///
/// # Errors
/// What is wrong with it.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let full = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
    full.parse().map_err(|_| "not an address; write IP and port, such as \"0.0.0.0:8080\" or \"[::1]:8080\"".to_owned())
}

/// `0660`. The zero must be there: TOML has octal numbers too, which come as decimal ones.
pub fn mode(text: &str) -> Result<u32, String> {
    let octal = text.strip_prefix('0').filter(|digits| digits.len() == 3 && !digits.starts_with('+'));
    octal
        .and_then(|digits| u32::from_str_radix(digits, 8).ok())
        .ok_or_else(|| "write the mode as a text of four octal digits such as \"0660\"".to_owned())
}

/// An address without user and password, for messages.
#[must_use]
pub fn without_user(text: &str) -> String {
    match (text.split_once("://"), text.rfind('@')) {
        (Some((scheme, _)), Some(at)) => format!("{scheme}://…{}", text.get(at..).unwrap_or_default()),
        _ => text.to_owned(),
    }
}

/// A Graph endpoint without its trailing slash.
///
/// # Errors
/// What is wrong with it.
pub fn endpoint(text: &str) -> Result<String, String> {
    let url: http::Uri = text.parse().map_err(|_| "not a URL".to_owned())?;
    let plain = url.query().is_none() && url.authority().is_some_and(|a| !a.as_str().contains('@'));
    match url.scheme_str() {
        Some("https" | "http") if plain => Ok(text.trim_end_matches('/').to_owned()),
        _ => Err("write a URL such as \"https://graph.facebook.com\"".to_owned()),
    }
}

/// `v26.0`.
#[must_use]
pub fn graph_version(text: &str) -> bool {
    text.strip_prefix('v').and_then(|rest| rest.split_once('.')).is_some_and(|(major, minor)| {
        [major, minor].iter().all(|part| !part.is_empty() && part.len() < 4 && part.bytes().all(|b| b.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::StoreUrl;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("25ms"), Some(Duration::from_millis(25)));
        assert_eq!(duration("90 s"), Some(Duration::from_secs(90)));
        assert_eq!(duration("1h"), Some(Duration::from_secs(3600)));
        for bad in ["", "25", "s", "-1s", "1.5s", "99999999999999999999s", "999999999999d", "1 week"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn modes_are_octal_and_say_so() {
        for (text, bits) in [("0660", 0o660), ("0000", 0), ("0777", 0o777)] {
            assert_eq!(mode(text), Ok(bits), "{text}");
        }
        // 432 is what TOML makes of 0o660.
        for bad in ["", "0", "660", "432", "0668", "01660", "0o660", "0+60", "u=rw"] {
            assert!(mode(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_know_both_kinds_of_units() {
        for (text, bytes) in [("4096", 4096), ("1MiB", 1 << 20), ("64 kB", 64_000), ("512KiB", 512 << 10)] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for bad in ["", "MiB", "1TiBs", "-1", "1.5MiB", "99999999999999999999"] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }

    #[test]
    fn stores_and_versions() {
        assert_eq!(StoreUrl::parse("sqlite:a.db"), Ok(StoreUrl::Sqlite("a.db".into())));
        assert_eq!(StoreUrl::parse("sqlite:///var/a.db"), Ok(StoreUrl::Sqlite("/var/a.db".into())));
        assert!(matches!(StoreUrl::parse("redis://x"), Ok(StoreUrl::Redis(_))));
        assert!(["sqlite:", "a.db", "redis://"].iter().all(|text| StoreUrl::parse(text).is_err()));
        assert_eq!(without_user("redis://u:p@ss@host:1/0"), "redis://…@host:1/0");
        assert!(graph_version("v26.0") && !graph_version("26.0") && !graph_version("v26") && !graph_version("v2x.0"));
    }
}
