//! The systems, read aloud.
use std::process::ExitCode;

/// States and facts are many small allocations on many threads; a profile showed the system's allocator before everything else.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    jumun_cli::run(&[jumun_malltail::OFFER, jumun_screening::OFFER])
}
