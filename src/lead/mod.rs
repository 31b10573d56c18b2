//! A lead: contact data, normalised and hashed, and the Meta event made of it. Pure.

mod address;
pub mod contact;
pub mod coverage;
pub mod data_key;
pub mod event;
pub mod event_id;
mod match_keys;
pub mod name;
pub mod normalize;
mod shape;
mod url;
