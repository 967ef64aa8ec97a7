# `just` prints this list. `just` itself: pip install rust-just

default:
    @just --list

# What every commit passes: format, lints, licences
check:
    scripts/check

# Every test; installs what is missing
test:
    scripts/test

# A whole system in one process
run system="malltail":
    cargo run --release -- up {{system}}

# The story of a system, played once and told
demo system="malltail":
    cargo run --release -- demo {{system}}

# How fast it is here
bench system="malltail":
    cargo run --release -- bench {{system}}

# A context more: one folder, one file of the contract, one line
new-context system name:
    scripts/new-context {{system}} {{name}}

# The event-storming boards, written from the code into README.md and docs/board
board:
    scripts/board

# Whole systems from many seeds
soak seeds="1000":
    JUMUN_SEEDS={{seeds}} cargo test --release --locked -p jumun-malltail -p jumun-screening --test stories simulation -- --nocapture

# The documentation of the code
docs:
    cargo doc --workspace --no-deps --locked
