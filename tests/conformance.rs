//! What a proxy must get right, item by item, on the wire: client bytes in, upstream bytes out, answer bytes back, and each
//! through both ways. What differs from the standards or from "as if nothing stood between" is in `docs/LIMITS.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "conformance/message.rs"]
mod message;
#[path = "conformance/stage.rs"]
mod stage;
mod support;
#[path = "conformance/vocabulary.rs"]
mod vocabulary;

#[path = "conformance/answers.rs"]
mod answers;
#[path = "conformance/as_bytes.rs"]
mod as_bytes;
#[path = "conformance/connections.rs"]
mod connections;
#[path = "conformance/expect.rs"]
mod expect;
#[path = "conformance/failures.rs"]
mod failures;
#[path = "conformance/flow.rs"]
mod flow;
#[path = "conformance/forwarding.rs"]
mod forwarding;
#[path = "conformance/generated.rs"]
mod generated;
#[path = "conformance/hop_by_hop.rs"]
mod hop_by_hop;
#[path = "conformance/landing.rs"]
mod landing;
#[path = "conformance/requests.rs"]
mod requests;
#[path = "conformance/retry.rs"]
mod retry;
#[path = "conformance/target_and_host.rs"]
mod target_and_host;
#[path = "conformance/upgrade.rs"]
mod upgrade;
