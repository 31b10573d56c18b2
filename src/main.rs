//! The `capi-sidecar` program: the command line only.

/// glibc's allocator gives nothing back once ten thousand connections have been there; this one does, and needs nothing but a C
/// compiler.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    capi_sidecar::cli::main()
}
