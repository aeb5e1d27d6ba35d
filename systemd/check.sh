#!/usr/bin/env bash
# Checks the unit with systemd's own tools: that it is understood whole, and that its sandbox is as tight as it was.
# Usage: bash systemd/check.sh [PROGRAM]   PROGRAM stands in for /usr/bin/mlark, which need not be installed.
set -euo pipefail
cd "$(dirname "$0")"
program=${1:-/bin/true}
exposure_max=15 # tenths; `systemd-analyze security` gives 1.2 today

command -v systemd-analyze >/dev/null || { echo "systemd-analyze is missing: apt-get install systemd" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed "s|/usr/bin/mlark|$program|" mlark.service >"$work/mlark.service"

# `verify` also warns with exit code 0, so any word from it is a failure.
said=$(systemd-analyze verify "$work/mlark.service" 2>&1) || { echo "$said" >&2; exit 1; }
[ -z "$said" ] || { echo "$said" >&2; exit 1; }

systemd-analyze security --offline=true --threshold="$exposure_max" --no-pager "$work/mlark.service" | tail -n 1

# Every setting has its reason in README.md.
missing=0
while IFS= read -r key; do
  grep -q "\`$key" README.md || { echo "README.md says nothing of $key" >&2; missing=1; }
done < <(grep -E '^(# )?[A-Z][A-Za-z]+=' mlark.service | sed -E 's/^# //; s/=.*//' | sort -u)
exit "$missing"
