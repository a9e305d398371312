#!/bin/sh
# Runs the Autobahn test suite (every case of sections 1-7, 9, 10, 12 and 13) against /test/echo and gates on its
# index.json: wstest itself exits 0 even when cases fail. Needs a Python 2.7; without one it says SKIPPED and exits 77.
#   MILLRACE_BIN=target/release/millrace tests/autobahn/run.sh [case pattern ...]
# Environment: PYTHON27 names an interpreter, AUTOBAHN_OUT where the report goes (default target/autobahn).
set -u
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.." || exit 1
binary=${MILLRACE_BIN:-target/debug/millrace}
out=${AUTOBAHN_OUT:-target/autobahn}
tools=target/tools/autobahn

skip() {
    echo "SKIPPED: autobahn: $1"
    exit 77
}

is_python27() {
    [ -n "$1" ] && "$1" -c 'import sys, zlib, ssl; sys.exit(sys.version_info[:2] != (2, 7))' >/dev/null 2>&1
}

find_python27() {
    for candidate in "${PYTHON27:-}" python2.7 pypy python2 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7*/bin/python; do
        if is_python27 "$candidate"; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

# Debian 12 has no Python 2.7; older systems and some mirrors do.
install_python27() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    apt-get install -y -qq python2.7 >/dev/null 2>&1 || apt-get install -y -qq pypy >/dev/null 2>&1
}

install_suite() {
    python3 -m venv "$tools-bootstrap" &&
        "$tools-bootstrap/bin/pip" install --quiet 'virtualenv<20.22' &&
        "$tools-bootstrap/bin/virtualenv" --quiet --python "$1" "$tools" &&
        "$tools/bin/pip" install --quiet 'setuptools==44.0.0' 'wheel==0.36.2' 'incremental==16.10.1' &&
        "$tools/bin/pip" install --quiet 'autobahntestsuite==25.10.1'
}

[ -x "$binary" ] || { echo "autobahn: $binary is not there: build it, or set MILLRACE_BIN"; exit 1; }
if [ ! -x "$tools/bin/wstest" ]; then
    python=$(find_python27) || { install_python27; python=$(find_python27); } ||
        skip "no Python 2.7 (tried PYTHON27, python2.7, pypy, python2, pyenv, apt-get)"
    mkdir -p target/tools
    install_suite "$python" >"$tools.log" 2>&1 || skip "the suite cannot be installed, see $tools.log"
fi

rm -rf "$out"
mkdir -p "$out"
printf '[limits]\nmessage_bytes = "64MiB"\n' >"$out/millrace.toml"
"$binary" serve --test-echo --listen 127.0.0.1:0 --config "$out/millrace.toml" >"$out/address" 2>"$out/server.log" &
server=$!
trap 'kill "$server" 2>/dev/null' EXIT INT TERM
for _ in $(seq 100); do
    grep -q listening "$out/address" && break
    sleep 0.1
done
port=$(sed -n 's/.*:\([0-9][0-9]*\)$/\1/p' "$out/address" | head -1)
[ -n "$port" ] || { echo "autobahn: the server did not start"; cat "$out/server.log"; exit 1; }

python3 - "$port" "$out" "$@" >"$out/spec.json" <<'PY'
import json, sys
port, out, cases = sys.argv[1], sys.argv[2], sys.argv[3:]
print(json.dumps({
    "outdir": out + "/report",
    "servers": [{"agent": "millrace", "url": "ws://127.0.0.1:%s/test/echo" % port}],
    "cases": cases or ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*", "12.*", "13.*"],
    "exclude-cases": [],
    "exclude-agent-cases": {},
}))
PY
"$tools/bin/wstest" -m fuzzingclient -s "$out/spec.json" >"$out/wstest.log" 2>&1 ||
    { echo "autobahn: wstest failed"; tail -20 "$out/wstest.log"; exit 1; }
kill -0 "$server" 2>/dev/null || { echo "autobahn: the server died"; tail -20 "$out/server.log"; exit 1; }
python3 "$here/gate.py" "$out/report/index.json"
