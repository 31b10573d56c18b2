//! The `capi-sidecar` program: the command line only.
fn main() {}
