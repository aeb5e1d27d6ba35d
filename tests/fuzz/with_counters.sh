#!/usr/bin/env bash
# Stands in front of rustc: the format, and the test that is run, are compiled with counters of what runs, nothing else is.
set -euo pipefail
rustc=$1
shift
case " $* " in
  *" --crate-name archive_format "* | *" --crate-name corpus "*) exec "$rustc" "$@" -C instrument-coverage ;;
  *) exec "$rustc" "$@" ;;
esac
