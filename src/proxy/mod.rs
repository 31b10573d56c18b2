//! The data plane: it moves bytes.
//!
//! One single-threaded runtime per worker, each with its own upstream connections; no locks between them. It knows
//! nothing of Meta, forms or consent: what is worth a copy is asked of its [`hooks::Hooks`], and the copies are handed
//! over as [`crate::exchange::Exchange`]. It waits for the lead plane in one place only, [`copy::Commit`], and there only
//! for a bounded time.
//!
//! [`connection`] reads request heads and is the place where another way through the proxy can branch off before
//! hyper takes the socket; [`pool`] knows nothing of how a request is sent.

pub mod address;
pub mod body;
pub mod capture;
pub mod connection;
pub mod copy;
pub mod dial;
pub mod drain;
pub mod error;
pub mod expect;
pub mod fields;
pub mod forward;
pub mod forwarded;
pub mod front;
pub mod guarded;
pub mod headers;
pub mod hooks;
pub mod http2;
pub mod listener;
pub mod peer;
pub mod plain;
pub mod pool;
pub mod progress;
pub mod proxy_protocol;
pub mod server;
pub mod socket;
pub mod stall;
pub mod target;
pub mod tee;
pub mod tls;
pub mod turns;
pub mod upgrade;
pub mod visitor_io;
pub mod worker;
