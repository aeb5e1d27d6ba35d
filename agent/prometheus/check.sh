#!/usr/bin/env bash
# Checks rules and metrics with Prometheus' own promtool: the rules are understood, they do what their tests say, and what a
# running daemon serves is in order and has every name that the rules ask for.
# Usage: bash agent/prometheus/check.sh PROGRAM   PROGRAM is the mlark to run.
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "$0")"
command -v promtool >/dev/null || { echo "promtool is missing: apt-get install prometheus" >&2; exit 1; }

promtool check rules mlark.rules.yml
promtool test rules mlark.rules.test.yml

work=$(mktemp -d)
daemon=
trap '[ -z "$daemon" ] || kill "$daemon"; rm -rf "$work"' EXIT
mkdir "$work/source"
echo alpha >"$work/source/a.txt"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/mlark.toml" <<TOML
[repository]
url = "$work/repository"
cache = "$work/cache"
[[workspace]]
name = "docs"
url = "$work/source"
schedule = "0 2 * * *"
[daemon]
listen = "127.0.0.1:$port"
TOML
mlark() { env -i HOME="$work" "$program" --config "$work/mlark.toml" "$@"; }
mlark -q init --unencrypted
mlark -q backup >/dev/null
mlark -q check >/dev/null
env -i HOME="$work" "$program" --config "$work/mlark.toml" -q daemon &
daemon=$!
python3 - "$port" >"$work/metrics" <<'PY'
import select, sys, urllib.request
for _ in range(2000):
    try:
        text = urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/metrics").read().decode()
    except OSError:
        text = ""
    if "mlark_workspace_state" in text:  # it listens a moment before it has looked at the repository
        sys.stdout.write(text)
        break
    select.select([], [], [], 0.05)
else:
    sys.exit("the daemon serves no metrics")
PY
promtool check metrics <"$work/metrics"
for name in mlark_last_success_timestamp_seconds mlark_last_run_outcome mlark_workspace_state mlark_items mlark_repository_bytes \
  mlark_last_check_timestamp_seconds; do
  grep -q "^$name" "$work/metrics" || { echo "/metrics has no $name" >&2; exit 1; }
done
echo "metrics: $(grep -c '^# TYPE' "$work/metrics") families, accepted"
