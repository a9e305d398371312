#!/bin/sh
# The Autobahn conformance suite against /test/echo of a debug server. The suite needs Python 2.7; where there is none the
# step is skipped (exit code 77). wstest exits 0 even when cases fail, so its index.json is judged instead.
set -u
cd "$(dirname "$0")/../.." || exit 1
server=${SERVER_UNDER_TEST:-$PWD/target/debug/millrace}
home=$PWD/target/autobahn
old_pythons=$(ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7*/bin/python2.7 2>/dev/null)
mkdir -p "$home"

for python in ${PYTHON27:-} $(command -v python2.7) $old_pythons none; do
    "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (2, 7))' 2>/dev/null && break
done
[ "$python" = none ] && echo "skipped: the Autobahn suite needs Python 2.7 (set PYTHON27)" && exit 77

if [ ! -x "$home/venv/bin/wstest" ]; then
    python3 -m venv "$home/maker" && "$home/maker/bin/pip" install --quiet virtualenv==20.21.1 || exit 1
    "$home/maker/bin/virtualenv" --quiet -p "$python" "$home/venv" || exit 1
    "$home/venv/bin/pip" install --quiet setuptools==44.0.0 wheel==0.36.2 incremental==16.10.1 || exit 1
    "$home/venv/bin/pip" install --quiet autobahntestsuite==25.10.1 || exit 1
fi

: >"$home/server.log"
"$server" serve --listen 127.0.0.1:0 --log warn --test-echo --set limits.message_bytes=17MiB >"$home/server.log" &
pid=$!
trap 'kill $pid 2>/dev/null' EXIT
for _ in 1 2 3 4 5 6 7 8 9 10; do
    grep -q "listening on" "$home/server.log" && break
    sleep 0.5
done
url=$(sed -n 's|^listening on http|ws|p' "$home/server.log" | head -1)
[ -n "$url" ] || { echo "the server did not start"; exit 1; }

cat >"$home/spec.json" <<SPEC
{"outdir": "$home/reports", "servers": [{"agent": "millrace", "url": "$url/test/echo"}],
 "cases": ["*"], "exclude-cases": [], "exclude-agent-cases": {}}
SPEC
rm -rf "$home/reports"
"$home/venv/bin/wstest" -m fuzzingclient -s "$home/spec.json" >"$home/wstest.log" 2>&1
python3 tests/autobahn/judge.py "$home/reports/index.json"
