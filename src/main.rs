//! The command line.

mod cli;

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A request makes some forty small allocations and frees them soon after on the same thread, which is what this
/// allocator is quick at.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
