#!/usr/bin/env bash
# Checks rules and metrics with Prometheus' own promtool: the rules are understood, they do what their tests say, and what a
# running daemon serves is in order and has every name of agent/INTERFACE.md, and no other: after a check, a drill, and a run
# that makes up for missed ones in a cloud that throttled it.
# Usage: bash agent/prometheus/check.sh PROGRAM SIMULATOR   PROGRAM is the mlark to run, SIMULATOR the stand-in for Azure.
set -euo pipefail
program=$(realpath "$1")
simulator=$(realpath "$2")
cd "$(dirname "$0")"
command -v promtool >/dev/null || { echo "promtool is missing: apt-get install prometheus" >&2; exit 1; }

promtool check rules mlark.rules.yml
promtool test rules mlark.rules.test.yml

work=$(mktemp -d)
daemon=
cloud=
trap '[ -z "$daemon" ] || kill "$daemon"; [ -z "$cloud" ] || kill "$cloud"; rm -rf "$work"' EXIT
mkfifo "$work/ready"
"$simulator" serve --world small --dir "$work/azure" >"$work/ready" &
cloud=$!
read -r _ <"$work/ready"
mkdir "$work/source"
echo alpha >"$work/source/a.txt"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
python3 - "$work" "$port" <<'PY'
import json, pathlib, sys
work, port = pathlib.Path(sys.argv[1]), sys.argv[2]
about = json.loads((work / "azure/simulator.json").read_text())
(work / "client-secret").write_text(about["client_secret"])
(work / "client-secret").chmod(0o600)
(work / "mlark.toml").write_text(f"""
[repository]
url = "{work}/repository"
cache = "{work}/cache"
[azure]
cloud = "{about["urls"]["management"]}"
ca_file = "{about["ca_file"]}"
credential = "client-secret"
tenant_id = "{about["tenant_id"]}"
client_id = "{about["client_id"]}"
client_secret_file = "{work}/client-secret"
[[workspace]]
name = "docs"
url = "{work}/source"
schedule = "0 2 * * *"
[[workspace]]
name = "ml"
url = "{about["workspaces"][0]["url"]}"
schedule = "0 2 * * *"
[daemon]
listen = "127.0.0.1:{port}"
""")
PY
mlark() { env -i HOME="$work" "$program" --config "$work/mlark.toml" "$@"; }
mlark -q init --unencrypted
mlark -q backup docs >/dev/null
mlark -q check >/dev/null
mlark -q drill latest:docs >/dev/null
# The last run of the other workspace was days ago, as the history of this machine keeps it; and its cloud is busy once.
python3 - "$work" <<'PY'
import datetime, glob, json, pathlib, sqlite3, ssl, sys, urllib.request
work = pathlib.Path(sys.argv[1])
database = sqlite3.connect(glob.glob(f"{work}/cache/*/catalogue.sqlite")[0])
at = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=4)).strftime("%Y-%m-%dT%H:%M:%SZ")
row = ("01ARZ3NDEKTSV4RRFFQ69G5FAA", "ml", at, at, "failed", None, "The network was away")
database.execute("INSERT INTO run VALUES (?, ?, ?, ?, ?, ?, ?)", row)
database.commit()
about = json.loads((work / "azure/simulator.json").read_text())
rules = {"rules": [{"service": "arm", "times": 1, "fault": {"kind": "throttle", "retry_after": 1}}]}
asked = urllib.request.Request(about["urls"]["control"] + "/faults", json.dumps(rules).encode(), {"content-type": "application/json"}, method="PUT")
urllib.request.urlopen(asked, context=ssl.create_default_context(cafile=about["ca_file"])).read()
PY
env -i HOME="$work" "$program" --config "$work/mlark.toml" -q daemon &
daemon=$!
python3 - "$port" >"$work/metrics" <<'PY'
import select, sys, urllib.request
for _ in range(4000):
    try:
        text = urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/metrics").read().decode()
    except OSError:
        text = ""
    # It listens a moment before it has looked at the repository, and then makes the backup that is due.
    if 'mlark_last_success_timestamp_seconds{workspace="ml"}' in text:
        sys.stdout.write(text)
        break
    select.select([], [], [], 0.05)
else:
    sys.exit(f"the daemon does not say that it made the backup:\n{text}")
PY
promtool check metrics <"$work/metrics"
sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' "$work/metrics" | sort >"$work/served"
grep -o 'mlark_[a-z_]*' ../INTERFACE.md | sort -u >"$work/named"
diff "$work/named" "$work/served" || { echo "< is named in agent/INTERFACE.md, > is served" >&2; exit 1; }
echo "metrics: $(wc -l <"$work/served") families, accepted"
