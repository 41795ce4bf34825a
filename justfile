# Lists the commands.
default:
    @just --list

# Runs all tests.
test *ARGS:
    cargo test --locked {{ARGS}}

# Checks formatting, words, lints, links in the rustdoc, and the specification.
lint:
    cargo fmt --all -- --check
    tools/words
    cargo clippy --locked --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items
    cargo run --quiet --locked -- spec --check

# Runs the contract job with outside tools (docs/contract-job.md), or only the steps that are named.
contract *STEPS:
    tools/contract/run {{STEPS}}

# Runs the micro-benchmarks in process. `benches/run` compares with other servers.
bench *ARGS:
    cargo bench --locked {{ARGS}}

# Runs each fuzz target for a bounded number of inputs (docs/fuzzing.md).
fuzz RUNS="100000":
    fuzz/run all -runs={{RUNS}}

# Runs everything that CI runs.
ci:
    .ci/run
