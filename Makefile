# One command for each thing. `make test` is what CI runs; the steps themselves stand in .ci/steps.

.PHONY: help test check bench fuzz autobahn docs

help:
	@echo "make test      everything CI runs, with what it needs installed"
	@echo "make check     format, lints and Rust tests: the quick half of it"
	@echo "make bench     measure against the floor and write docs/BENCHMARKS.md"
	@echo "make fuzz      fuzz every target for five minutes"
	@echo "make autobahn  the WebSocket conformance suite"
	@echo "make docs      rewrite the settings in docs/OPERATING.md"

test:
	@.ci/steps

check:
	@.ci/steps format lints rust documentation

bench:
	cargo build --release
	cargo run --release -p loadtest -- bench --out docs/BENCHMARKS.md

fuzz:
	fuzz/smoke.sh 300

autobahn:
	cargo build --release
	MILLRACE_BIN=target/release/millrace tests/autobahn/run.sh

docs:
	UPDATE_DOCS=1 cargo test --test config
