//! `capi-sidecar`: a transparent reverse proxy that turns the form submissions a site *accepted* into Meta
//! Conversions API `Lead` events.
//!
//! Two planes, kept apart. The **data plane** ([`proxy`]) moves bytes and knows nothing of Meta, forms or consent; it
//! hands copies over as an [`exchange::Exchange`]. The **lead plane** ([`intake`]) reads them: [`form`] → [`consent`] →
//! [`lead`], put together by [`decision`], made durable by [`outbox`] and sent by [`delivery`].
//!
//! `landing`, `form`, `consent`, `lead` and `decision` are pure: functions of their input, without I/O, clock,
//! randomness or async. See `ARCHITECTURE.md` for the picture and the invariants.

pub mod admin;
pub mod cli;
pub mod clock;
pub mod config;
pub mod consent;
pub mod decision;
pub mod delivery;
pub mod exchange;
mod failpoint;
pub mod form;
mod glob;
pub mod intake;
pub mod landing;
pub mod lead;
pub mod memory;
pub mod metrics;
pub mod outbox;
pub mod proxy;
pub mod reason;
pub mod sidecar;
mod stems;
pub mod visitor;
