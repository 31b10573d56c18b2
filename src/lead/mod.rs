//! A lead: contact data, normalised and hashed, and the Meta event made of it. Pure.

pub mod contact;
pub mod event;
pub mod event_id;
pub mod name;
pub mod normalize;
pub mod url;
