//! The copy of a multipart body, thinned as it passes: however its frames are cut, the same bytes are kept.
#![no_main]

use bytes::Bytes;
use capi_sidecar::form::multipart::Reducer;
use libfuzzer_sys::fuzz_target;

fn thin(body: &[u8], frame: usize) -> Vec<u8> {
    let Some(mut reducer) = Reducer::new("multipart/form-data; boundary=x") else { return Vec::new() };
    let mut keep = Vec::new();
    for piece in body.chunks(frame) {
        reducer.push(&Bytes::copy_from_slice(piece), &mut keep);
    }
    reducer.finish(&mut keep);
    keep.concat()
}

fuzz_target!(|input: &[u8]| {
    let Some((frame, body)) = input.split_first() else { return };
    assert_eq!(thin(body, usize::from(*frame).max(1)), thin(body, usize::MAX));
});
