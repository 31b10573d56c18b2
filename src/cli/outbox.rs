//! `outbox`.
use super::Exit;
use clap::ArgMatches;

/// placeholder
pub fn outbox(_args: &ArgMatches) -> Exit {
    Exit::Software
}
