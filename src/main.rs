//! The `millrace` command.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(not(loom))]
fn main() -> ExitCode {
    millrace::cli::main()
}

/// The command stands on what loom's models leave out.
#[cfg(loom)]
fn main() -> ExitCode {
    ExitCode::FAILURE
}
