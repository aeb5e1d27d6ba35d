#!/usr/bin/env bash
# Shows the whole of mlark's job on a realistic workspace: back it up, lose it, bring it back in another subscription.
# Needs a Rust toolchain and a C compiler, nothing else. Everything happens in a stand-in for Azure on this machine.
set -euo pipefail
cd "$(dirname "$0")/.."

need() { # command, what it is, how to get it
  command -v "$1" >/dev/null && return
  printf 'The demo needs %s: %s\n' "$2" "$3" >&2
  exit 1
}
need cargo "a Rust toolchain (1.90 or newer)" "curl -sSf https://sh.rustup.rs | sh"
need cc "a C compiler" "apt-get install gcc, or xcode-select --install"

bold=$(tput bold 2>/dev/null || true) plain=$(tput sgr0 2>/dev/null || true)
say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
run() { # shows a command as one would type it, and runs it; exit code 3 means done with losses that were announced
  printf '%s$ %s%s\n' "$bold" "$*" "$plain"
  local code=0
  "$@" || code=$?
  [ $code -eq 0 ] || [ $code -eq 3 ] || exit $code
}

say "Building (a few minutes the first time)"
cargo build --quiet --workspace --all-targets --locked
bin=${CARGO_TARGET_DIR:-target}/debug
bin=$(cd "$bin" && pwd)
export PATH="$bin:$PATH"

work=$(mktemp -d)
simulator=
finish() {
  [ -z "$simulator" ] || { kill "$simulator" 2>/dev/null && wait "$simulator" 2>/dev/null; } || true
  rm -rf "$work"
}
trap finish EXIT

say "A stand-in for Azure with a year of a team's work in it, and an empty workspace in another subscription and region"
mkfifo "$work/ready"
simulator serve --world demo --dir "$work/azure" >"$work/ready" &
simulator=$!
read -r line <"$work/ready"
echo "$line"
value() { sed -n "s/^ *\"$1\": \"\(.*\)\",\{0,1\}$/\1/p" "$work/azure/simulator.json" | head -n 1; }
workspace() { sed -n 's/^ *"url": "\(azureml:.*\)",\{0,1\}$/\1/p' "$work/azure/simulator.json" | sed -n "$1p"; }
source_url=$(workspace 1)
target_url=$(workspace 2)

export MLARK_CONFIG=$work/mlark.toml
umask 077
value client_secret >"$work/client-secret"
cat >"$MLARK_CONFIG" <<TOML
[repository]
url = "$work/repository"
cache = "$work/cache"
key_file = "$work/agent.key"
identity_file = "$work/owner.key"

[azure]
cloud = "$(value management)"
ca_file = "$(value ca_file)"
credential = "client-secret"
tenant_id = "$(value tenant_id)"
client_id = "$(value client_id)"
client_secret_file = "$work/client-secret"

[[workspace]]
name = "prod"
url = "$source_url"
schedule = "0 2 * * *"
timezone = "Europe/Sofia"

[[target]]
name = "recovery"
url = "$target_url"
TOML
run cat "$MLARK_CONFIG"

say "An owner's key, kept away from the machine that backs up, and a repository that only its holder can read"
printf '%s$ mlark key generate > owner.key%s\n' "$bold" "$plain"
mlark key generate >"$work/owner.key"
run mlark init --recipient "$(grep -o 'age1[a-z0-9]*' "$work/owner.key" | head -n 1)"

say "The first backup reads everything"
run mlark backup prod
say "The second finds nothing new"
run mlark backup prod
run mlark snapshots
run mlark status
say "What a snapshot holds"
printf '%s$ mlark ls latest models -l%s\n' "$bold" "$plain"
mlark ls latest models -l | sed -n '1,15p'
printf '%s$ mlark ls latest | cut -d/ -f1 | sort | uniq -c%s\n' "$bold" "$plain"
mlark ls latest | cut -d/ -f1 | sort | uniq -c

say "The workspace is deleted, with its storage account"
run simulator control --dir "$work/azure" delete-workspace "$source_url" --with-account

say "What a restore into another subscription and region would do, and what it cannot bring back"
printf '%s$ mlark restore plan latest --into recovery%s\n' "$bold" "$plain"
mlark restore plan latest --into recovery >"$work/plan" || [ $? -eq 3 ]
sed -n '1,30p' "$work/plan"
[ "$(wc -l <"$work/plan")" -le 60 ] || printf '… (%s lines in all) …\n' "$(wc -l <"$work/plan")"
tail -n 30 "$work/plan"

say "It is done"
run mlark restore apply latest --into recovery --yes
say "And proved: every document and every byte is read back and compared"
run mlark restore verify latest --against recovery

say "One notebook is deleted by mistake, and brought back alone"
notebook=$(mlark ls latest notebooks | grep '\.ipynb$' | head -n 1)
run simulator control --dir "$work/azure" delete-notebook "$target_url" "${notebook#notebooks/}"
run mlark restore apply latest "$notebook" --into recovery --yes
run mlark restore verify latest "$notebook" --against recovery

say "Done"
