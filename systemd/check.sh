#!/usr/bin/env bash
# Checks the units with systemd's own tools: that they are understood whole, and that their sandbox is as tight as it was.
# Usage: bash systemd/check.sh [PROGRAM]   PROGRAM stands in for /usr/bin/mlark, which need not be installed.
set -euo pipefail
cd "$(dirname "$0")"
program=${1:-/bin/true}
exposure_max=15 # tenths; `systemd-analyze security` gives 1.2 today

command -v systemd-analyze >/dev/null || { echo "systemd-analyze is missing: apt-get install systemd" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
units=(mlark.service mlark-backup.service mlark-backup.timer mlark-failed@.service)
for unit in "${units[@]}"; do sed "s|/usr/bin/mlark|$program|" "$unit" >"$work/$unit"; done
mv "$work/mlark-failed@.service" "$work/mlark-failed@mlark.service" # a template is verified as one of its instances

for unit in "$work"/*; do
  # `verify` also warns with exit code 0, so any word from it is a failure.
  said=$(systemd-analyze verify "$unit" 2>&1) || { echo "$said" >&2; exit 1; }
  [ -z "$said" ] || { echo "$said" >&2; exit 1; }
done

for unit in mlark.service mlark-backup.service; do
  systemd-analyze security --offline=true --threshold="$exposure_max" --no-pager "$work/$unit" | tail -n 1
done

# Every setting has its reason in README.md.
missing=0
while IFS= read -r key; do
  grep -q "\`$key" README.md || { echo "README.md says nothing of $key" >&2; missing=1; }
done < <(grep -hE '^(# )?[A-Z][A-Za-z]+=' "${units[@]}" | sed -E 's/^# //; s/=.*//' | sort -u)
exit "$missing"
