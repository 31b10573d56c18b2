//! The PROXY header: whatever comes, not a byte behind it is read, and nothing behind it changes what it says.
#![no_main]

use std::net::IpAddr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use capi_sidecar::proxy::proxy_protocol::read;
use libfuzzer_sys::fuzz_target;

/// What is read, and how much of the bytes is left.
fn outcome(mut bytes: &[u8]) -> (Option<Option<IpAddr>>, usize) {
    // Bytes in memory are never waited for.
    let polled = pin!(read(&mut bytes)).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(result) = polled else { panic!("it waits for something") };
    (result.ok(), bytes.len())
}

fuzz_target!(|input: &[u8]| {
    let (said, left) = outcome(input);
    let Some(visitor) = said else { return };
    let header = &input[..input.len() - left];
    assert_eq!(outcome(header), (Some(visitor), 0));
    assert_eq!(outcome(&[header, b"\r\nGET / HTTP/1.1\r\n"].concat()), (Some(visitor), 18));
    assert!(outcome(&header[..header.len() - 1]).0.is_none(), "a header without its end is none");
    if let Some(address) = visitor {
        assert_eq!(address, address.to_canonical());
    }
});
