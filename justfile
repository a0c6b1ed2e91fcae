# What contributors and CI run. `just` lists it; CONTRIBUTING.md says what each tool is for.

set shell := ["bash", "-euo", "pipefail", "-c"]

# List the recipes
default:
    @just --list --unsorted

# Format the code
fmt:
    cargo fmt

# Formatting, lints (with and without the embedded model) and spelling
check:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings
    cargo clippy --locked --all-targets --features local-llm -- -D warnings
    typos

# All tests that need nothing but Rust and git
test *ARGS:
    cargo test --locked {{ ARGS }}

# How rare walls are in a month of bursty demand, and what it costs: `just walls SEED=7 SIGMA=0.5`
walls *ARGS:
    cargo bench --locked --quiet --bench walls -- ${SEED:+SEED=$SEED} {{ ARGS }}

# A week of a hundred agents: windows, waiting, shares, determinism: `just week SEED=7 AGENTS=100`
week *ARGS:
    cargo bench --locked --quiet --bench load -- ${SEED:+SEED=$SEED} {{ ARGS }}

# The real agent CLIs and model servers against loopback servers of ours (needs npm and python3)
e2e *ARGS:
    scripts/e2e/run.sh {{ ARGS }}

# Every agent CLI in everything a server can do to it, as a table (needs npm; `UPSTREAM=URL`)
conformance *ARGS:
    scripts/e2e/conformance.sh {{ ARGS }}

# A night in minutes: real agents with windows of 60 seconds, a kill half-way (`just rehearsal MINUTES=10`)
rehearsal *ARGS:
    scripts/e2e/rehearsal.sh {{ ARGS }}

# A night whose clock leaps over every wait: walls, crashes, conflicts (`just night BEADS=200`)
night BEADS="BEADS=200":
    b={{ BEADS }}; NIGHT_BEADS="${b#BEADS=}" cargo test --locked --test it -- --nocapture night::

# SIGKILL of rigs, agents and git at random, seeded moments: `just chaos KILLS=500 SEED=7`
chaos *ARGS:
    scripts/chaos.sh {{ ARGS }}

# The same with the real claude against the lab (needs npm): `just chaos-real KILLS=20`
chaos-real *ARGS:
    scripts/e2e/chaos.sh {{ ARGS }}

# What a foreman that waits costs, and how soon it wakes: `just idle 10` (Linux, python3)
idle MINUTES="10":
    cargo build --locked --quiet --profile bench --bin rigs
    scripts/idle.py target/release/rigs {{ MINUTES }}

# What many agents at once cost, and whether each bead is done once: `just polecats N=50` (Linux, python3)
polecats N="N=50":
    cargo build --locked --quiet --profile bench --bin rigs
    scripts/polecats.py target/release/rigs {{ N }}

# The documentation of the code, private items included
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items --features local-llm

# Licences, bans and sources by deny.toml (needs cargo-deny; `test` holds the same lists offline)
deny:
    cargo deny --locked check bans licenses sources

# Known security holes in what we depend on (needs cargo-deny and the network)
audit:
    cargo deny --locked check advisories

# Write the generated pages of docs/ and the snapshots anew, then look at what changed
review-docs:
    UPDATE_DOCS=1 cargo test --locked --lib testing::pages
    git --no-pager diff --stat -- docs

# A new migration, named by the time and NAME; it begins with the module that owns its tables
new-migration NAME:
    #!/usr/bin/env bash
    set -euo pipefail
    file="migrations/$(date -u +%Y%m%d%H%M%S)_{{ NAME }}.sql"
    printf -- '-- Owner: MODULE. What it is for.\n' > "$file"
    echo "$file"

# Check the formatting before each commit
hooks:
    git config core.hooksPath .githooks

# The oldest Rust that is supported builds it
msrv:
    cargo "+$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)" build --locked

# A release binary for this machine with its checksum, in dist/
dist NAME:
    cargo build --locked --release --features local-llm
    mkdir -p dist
    tar -czf "dist/{{ NAME }}.tar.gz" -C target/release rigs -C "{{ justfile_directory() }}" README.md LICENSE CHANGELOG.md
    cd dist && shasum -a 256 "{{ NAME }}.tar.gz" > "{{ NAME }}.tar.gz.sha256"

# Everything that a change must pass
ci: check test doc e2e
