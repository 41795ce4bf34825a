//! Command-line program.

mod cli;

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A request makes about forty small allocations and soon frees them on the same thread. This allocator is fast at that.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
