//! The systems, read aloud.
use std::process::ExitCode;

/// States and facts are many small allocations on many threads: half as many orders again per second as with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    jumun_cli::run(&[jumun_malltail::OFFER])
}
