#!/usr/bin/env bash
# Puts each mistake of this folder into a copy of the code, and runs the tests that its head names: all of them must fail.
#
#   bash archive-format/tests/mistakes/run.sh             all of them; some ten minutes
#   bash archive-format/tests/mistakes/run.sh M_STALE …   some
#
# The copy lies in target/mistakes and has a target folder of its own, since the programs of a wrong checkout must never be
# taken for those of the right one. What was built of other packages is linked into it, so that only this package is built.
set -uo pipefail
cd "$(dirname "$0")/../../.."
root=$PWD
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
tree=$target/mistakes/tree
own=$target/mistakes/target
# A commit that never ends is a mistake too, but not the one that a head describes.
seconds=600

# The packages of others, as they are built already. Nothing of ours: it would be written into through the links.
link_packages() {
  [ -d "$own/debug" ] && return
  mkdir -p "$own/debug"
  [ -d "$target/debug/deps" ] || return 0
  cp -al "$target/debug/deps" "$target/debug/build" "$own/debug/" && cp -a "$target/debug/.fingerprint" "$own/debug/" || return 1
  find "$own/debug/deps" -type f ! -name '*.*' -delete # programs
  local package
  for package in $(sed -n '1,3s/^name = "\(.*\)"$/\1/p' -s -- */Cargo.toml tests/simulator/Cargo.toml); do
    rm -rf "$own"/debug/{.fingerprint,build}/"$package"-* "$own"/debug/deps/{,lib}"${package//-/_}"-*
  done
}

# All files that git knows or would take. Ours are taken for new, since the last build may have been one with a mistake.
copy_tree() {
  rm -rf "$tree" && mkdir -p "$tree" &&
    git ls-files -z --cached --others --exclude-standard |
    while IFS= read -r -d '' file; do if [ -f "$file" ]; then printf '%s\0' "$file"; fi; done |
      xargs -0 cp -p --parents -t "$tree" && find "$tree/archive-format" -name '*.rs' -exec touch {} +
}

# Without this git would look for the paths of a patch at the root of the repository around the copy.
in_tree() { (cd "$tree" && GIT_CEILING_DIRECTORIES=$target/mistakes git apply "$@"); }

build() {
  (cd "$tree" && CARGO_TARGET_DIR=$own cargo test -p archive-format --test format --locked --no-run --message-format=json 2>"$own/said") |
    sed -n 's/.*"name":"format".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}

# Runs one test of the program; prints why it failed. 0: it failed; 1: it passed; 2: it is not there, or did not end.
fails() {
  local said=$own/test code
  (cd "$tree/archive-format" && env -u MLARK_TESTS_FULL -u MLARK_TESTS_FIGURES timeout "$seconds" "$1" --exact "$2" >"$said" 2>&1)
  code=$?
  grep -q '^running 1 test$' "$said" || { echo "there is no such test"; return 2; }
  case $code in
    0) echo "it passes"; return 1 ;;
    101) sed -n '/^thread .* panicked at/,$p; /^Error: /p' "$said" | sed '/^thread/d; /^note:/,$d; /^$/,$d; s/^  *//' | paste -s -d ' ' | cut -c 1-140 ;;
    *) echo "it did not end in $seconds s"; return 2 ;;
  esac
}

wrong=0
row() { printf '%-14s %-82s %s\n' "$1" "$2" "$3"; }
verdict() { # mistake, test, what it should do, what it did
  row "$1" "$2" "$4"
  [ "$3" = yes ] || wrong=$((wrong + 1))
}

heads() { sed -n "s/^$1: //p" "$2"; }

patches=()
for name in "$@"; do patches+=("archive-format/tests/mistakes/${name,,}.patch"); done
[ ${#patches[@]} -gt 0 ] || patches=(archive-format/tests/mistakes/*.patch)

link_packages && copy_tree || exit 1
row mistake 'must fail' 'what it said'

# Without any mistake all of them pass.
program=$(build)
[ -n "$program" ] || { cat "$own/said"; exit 1; }
for test in $(for patch in "${patches[@]}"; do heads 'Caught by' "$patch"; done | sort -u); do
  why=$(fails "$program" "$test")
  [ $? = 1 ] || verdict none "$test" no "WRONG without any mistake: $why"
done

for patch in "${patches[@]}"; do
  mistake=$(heads Mistake "$patch")
  if ! in_tree "$root/$patch"; then
    verdict "$mistake" "$patch" no 'WRONG: it does not apply any more'
    continue
  fi
  program=$(build)
  if [ -z "$program" ]; then
    grep -m 3 -A 6 '^error' "$own/said"
    verdict "$mistake" "$patch" no 'WRONG: it does not compile'
  else
    for test in $(heads 'Caught by' "$patch"); do
      if why=$(fails "$program" "$test"); then verdict "$mistake" "$test" yes "$why"; else verdict "$mistake" "$test" no "WRONG: $why"; fi
    done
  fi
  in_tree -R "$root/$patch" || exit 1
done

line="mistakes: ${#patches[@]} put into the code, $wrong not caught as their heads say"
echo "$line"
[ -z "${MLARK_TESTS_FIGURES:-}" ] || echo "$line" >>"$MLARK_TESTS_FIGURES"
[ "$wrong" -eq 0 ]
