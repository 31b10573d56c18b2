//! Google's own dialog ("Funding Choices", today "Privacy & messaging"), `FCCDCF`: a JSON list that holds the IAB's
//! strings at fixed places.
//!
//! `[null,null,null,["<TC>","<additional consent>","<id>"],[[<time>],"<US Privacy>"]]`

use serde_json::Value;

use crate::consent::decode::layers;

pub const COOKIE: &str = "FCCDCF";

/// Where the strings are.
pub const TC: &str = "/3/0";
pub const ADDITIONAL: &str = "/3/1";
pub const US_PRIVACY: &str = "/4/1";

/// `None`: it cannot be decoded.
pub fn list(raw: &str) -> Option<Value> {
    layers(raw).find_map(|text| serde_json::from_str(&text).ok().filter(Value::is_array))
}

/// The string at one of the places.
pub fn string(raw: &str, place: &str) -> Option<String> {
    list(raw)?.pointer(place)?.as_str().map(str::to_owned)
}
