#!/usr/bin/env bash
# The one test command. Installs what the tests need, runs the short form of everything, prints a table of minutes.
#
#   bash tests/run.sh                 everything, short form
#   bash tests/run.sh AREA…           some areas only
#   bash tests/run.sh --full [AREA…]  the long forms; what passed at this commit is remembered in tests/.full and not run
#                                     again, and its figures are added to tests/RECORD.md
#   bash tests/run.sh mistakes        known mistakes put into the code, each of which must be caught: a long form, so
#                                     that only --full runs it unasked
#
# Needs a Rust toolchain and a C compiler; takes the rest (Debian packages, a Python environment, Azurite, some cargo tools) itself.
set -uo pipefail
cd "$(dirname "$0")/.."
root=$PWD
venv=$root/tests/.venv
tools=$root/tests/.tools
export PATH="$venv/bin:$tools/bin:$PATH"
export CARGO_TERM_COLOR=never
export MLARK_STOCK=1 # no test of stock programs may be passed over
cargo_deny=0.20.2
cargo_fuzz=0.13.2
cargo_deb=3.8.0
llvm_profparser=0.15.0

all=(packages python rust fuzz stores page supply units package observe reader interop kill demo bench)
long=(mistakes) # only with --full, or when named
full=no
areas=()
for word in "$@"; do
  case $word in
    --full) full=yes ;;
    -h | --help) sed -n '2,11p' "$0" | cut -c3-; exit 0 ;;
    *) areas+=("$word") ;;
  esac
done
if [ ${#areas[@]} -eq 0 ]; then
  areas=("${all[@]}")
  [ "$full" = no ] || areas+=("${long[@]}")
fi

# --- areas: one function each -------------------------------------------------------------------------------------

# Debian's own tar, zstd and age judge the packs; systemd-analyze judges the units, promtool the metrics, chromium shows the status page; mmdebstrap makes a fresh Debian; nss-myhostname resolves *.localhost.
area_packages() {
  local missing=() pair
  for pair in tar:tar zstd:zstd age:age sha256sum:coreutils systemd-analyze:systemd tmux:tmux ssh-keygen:openssh-client script:bsdutils restic:restic promtool:prometheus node:nodejs npm:npm chromium:chromium mmdebstrap:mmdebstrap; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
  done
  getent hosts a.b.localhost >/dev/null || missing+=(libnss-myhostname)
  [ ${#missing[@]} -eq 0 ] && { echo "All Debian packages are there"; return 0; }
  echo "Installing: ${missing[*]}"
  as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# The official SDKs and the programs that judge exports, every version stated. Made anew when the list changes.
area_python() {
  local list=tests/interop/requirements.txt
  if cmp -s "$list" "$venv/installed.txt"; then echo "The Python environment is there"; return 0; fi
  rm -rf "$venv" && python3 -m venv "$venv" &&
    "$venv/bin/python" -m pip install -q --upgrade 'pip==26.3' &&
    "$venv/bin/python" -m pip install -q --no-deps --only-binary :all: --no-binary bagit -r "$list" &&
    cp "$list" "$venv/installed.txt"
}

area_rust() {
  cargo build --workspace --all-targets --locked && cargo test --workspace --locked --no-fail-fast
}

# What the corpora of the fuzz targets reach, by the compiler's counters. Long: ten million executions besides, where nightly
# Rust is at hand; to build everything once more for the fuzzer takes 8 minutes of one core, so that short they are left out.
area_fuzz() {
  cargo_tool llvm_profparser $llvm_profparser --no-default-features --features cli && python3 tests/fuzz/coverage.py || return 1
  [ "$full" = yes ] || return 0
  rustup run nightly rustc --version >/dev/null 2>&1 && { cargo_tool cargo-fuzz $cargo_fuzz || return 1; }
  python3 tests/fuzz/execute.py 10000000
}

cargo_tool() { # a program of this crate and version, built without optimisation; more words go to cargo
  grep -qs "^\"$1 $2 " "$tools/.crates.toml" || cargo install --quiet --locked --debug --root "$tools" "$1@$2" "${@:3}"
}

npm_packages() { # those of a folder's lock file, into a folder of the tools
  local lock=$1/package-lock.json home=$tools/$2
  cmp -s "$lock" "$home/package-lock.json" && return 0
  rm -rf "$home" && mkdir -p "$home" && cp "$1/package.json" "$lock" "$home/" &&
    (cd "$home" && npm ci --silent --no-audit --no-fund) || { rm -rf "$home"; return 1; }
}

# Object stores against Azurite, whose versions the lock file states.
area_stores() {
  npm_packages tests/stores azurite || return 1
  node tests/stores/with_azurite.mjs cargo test --workspace --locked azurite
}

# The status page in Chromium, judged by axe-core. The screenshots stay in tests/.tools/page/shots.
area_page() {
  npm_packages tests/page page && build_bins &&
    node tests/page/look.mjs "${CARGO_TARGET_DIR:-target}/debug/mlark" "$tools/page/shots"
}

area_supply() {
  typos &&
    cargo_tool cargo-deny $cargo_deny &&
    cargo-deny --log-level warn check licenses bans sources
}

area_units() { bash systemd/check.sh; }

# The Debian package in a fresh Debian: installed, a first snapshot, upgraded, purged.
area_package() {
  cargo_tool cargo-deb $cargo_deb && build_bins &&
    as_root env PATH="$PATH" bash tests/package/check.sh "${CARGO_TARGET_DIR:-target}/debug" "$tools/package"
}

# Alerts and metrics, judged by Prometheus' own promtool.
area_observe() { build_bins && bash agent/prometheus/check.sh "${CARGO_TARGET_DIR:-target}/debug/mlark" "${CARGO_TARGET_DIR:-target}/debug/simulator"; }

# Clients in a process of their own: what the SDK leaves behind in one changes how MLflow's client downloads.
area_interop() {
  build_bins && (cd tests/interop && python -m unittest -v test_references test_roundtrip test_kinds test_registry test_repair test_folder test_export test_seal &&
    python -m unittest -v test_clients)
}

# The format's second reader, written from FORMAT.md alone, on repositories that mlark made.
area_reader() { build_bins && (cd tests/interop && python -m unittest -v test_reader); }

# A restore and the daemon, killed at moments all over their work.
area_kill() {
  build_bins && (cd tests/interop && python -m unittest -v test_kill) && cargo test --workspace --locked --test e2e killed
}

area_demo() { bash tests/demo.sh; }

# mlark and restic on the same folder, in turn. Short: it works, and the repository is smaller. Long: 1 GB with the program
# as it is released; mlark must be no slower in anything.
area_bench() {
  if [ "$full" = yes ]; then
    cargo build --release --workspace --bins --locked && python tests/bench/run.py --gate
  else
    build_bins && python tests/bench/run.py --bytes 5e7 --rounds 1 --mlark "${CARGO_TARGET_DIR:-target}/debug/mlark" --gate-size
  fi
}

# Each mistake that commit and removal can hold, put into a copy of the code: the tests that it names must fail.
area_mistakes() { bash archive-format/tests/mistakes/run.sh; }

# With all targets, as the rust area builds them: dependencies with other features would be compiled once more.
build_bins() { cargo build --workspace --all-targets --locked; }

# --- running and the table ----------------------------------------------------------------------------------------

passed=0
failed=0
table=()
run_area() {
  local area=$1 began=$SECONDS verdict=passed done_at=tests/.full/$1
  if [ "$full" = yes ] && [ "$(cat "$done_at" 2>/dev/null)" = "$commit" ]; then
    printf '\n=== %s has passed at this commit\n' "$area"
    passed=$((passed + 1))
    return
  fi
  printf '\n=== %s\n' "$area"
  if [ "$full" = yes ]; then export MLARK_TESTS_FIGURES=$root/$done_at.figures; mkdir -p tests/.full; rm -f "$MLARK_TESTS_FIGURES"; fi
  if "area_$area"; then passed=$((passed + 1)); else verdict=FAILED; failed=$((failed + 1)); fi
  table+=("$(printf '%-10s %6s  %s' "$area" "$(awk "BEGIN{printf \"%.1f\", ($SECONDS-$began)/60}")" "$verdict")")
  if [ "$full" = yes ] && [ "$verdict" = passed ]; then record "$area" "$done_at"; fi
}

# Lines of tests/RECORD.md: when, what, at which commit, on which machine, how long; and each figure that the area left.
record() {
  mkdir -p tests/.full && echo "$commit" >"$2"
  local took line
  took="$(echo "${table[-1]}" | awk '{print $2}') min"
  while read -r line; do
    printf '| %s | %s | %s | %s, %s cores | %s |\n' "$(date -u +%F)" "$1${line:+: $line}" "${commit:0:12}" "$(uname -m)" "$(nproc)" \
      "$took" >>tests/RECORD.md
  done < <(if [ -s "$MLARK_TESTS_FIGURES" ]; then cat "$MLARK_TESTS_FIGURES"; else echo; fi)
}

for area in "${areas[@]}"; do
  declare -F "area_$area" >/dev/null || { echo "There is no area $area; there are: ${all[*]} ${long[*]}" >&2; exit 2; }
done
commit=$(git rev-parse HEAD)
if [ "$full" = yes ]; then export MLARK_TESTS_FULL=1; fi
for area in "${areas[@]}"; do run_area "$area"; done

printf '\n%-10s %6s\n' area minutes
printf '%s\n' "${table[@]}"
printf '%-10s %6s\n\n' total "$(awk "BEGIN{printf \"%.1f\", $SECONDS/60}")"
echo "areas: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
