//! The `capi-sidecar` program: the command line only.

fn main() -> std::process::ExitCode {
    capi_sidecar::cli::main()
}
