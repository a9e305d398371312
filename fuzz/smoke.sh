#!/bin/sh
# Runs every fuzz target for a few seconds, from its seeds and with its dictionary, and sums up in one line.
#   fuzz/smoke.sh [seconds per target, default 10]
# What is found grows fuzz/corpus/ (not committed). Exits non-zero if a target crashes or does not build.
set -u
cd "$(dirname "$0")/.." || exit 1
seconds=${1:-10}
tools="$PWD/target/tools"
export RUSTC_BOOTSTRAP=1 # the sanitizer flags ask for a nightly compiler; this one has them as well
export PATH="$tools/bin:$PATH"

if ! command -v cargo-fuzz >/dev/null; then
    env -u RUSTC_BOOTSTRAP cargo install --quiet --locked --root "$tools" cargo-fuzz || exit 1
fi

passed=0
failed=0
for source in fuzz/fuzz_targets/*.rs; do
    target=$(basename "$source" .rs)
    log="fuzz/target/$target.log"
    mkdir -p fuzz/target "fuzz/corpus/$target"
    set -- "fuzz/corpus/$target"
    [ -d "fuzz/seeds/$target" ] && set -- "$@" "fuzz/seeds/$target"
    set -- "$@" -- "-max_total_time=$seconds" -timeout=10 -rss_limit_mb=1024
    [ -f "fuzz/dictionary/$target" ] && set -- "$@" "-dict=fuzz/dictionary/$target"
    if cargo fuzz run "$target" "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        echo "fuzz $target: $(grep -E '^Done [0-9]+ runs' "$log" | tail -1)"
    else
        failed=$((failed + 1))
        echo "fuzz $target: FAILED, see $log"
        tail -30 "$log"
    fi
done
echo "fuzz: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
