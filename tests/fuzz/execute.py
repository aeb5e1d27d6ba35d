"""Runs the fuzz targets of the format: so many executions of all together, one target after another.

    python3 tests/fuzz/execute.py EXECUTIONS [TARGET…]

Needs nightly Rust and cargo-fuzz; without nightly it says so and is done. New inputs are kept in archive-format/fuzz/found,
what breaks a target in archive-format/fuzz/artifacts, and either is looked at by people. Prints one line of figures.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

from targets import CORPUS, FORMAT, targets

TRIPLE = "x86_64-unknown-linux-gnu"
# An input that takes longer is a fault of its own: the slowest, a frame of 16 MiB, takes far less than a second.
SECONDS_MAX = 20
MEMORY_MIB_MAX = 1024
# Longer inputs make each execution slower and find little: what is long is a pack with its frames.
BYTES_MAX = {"pack_member": 8192, "pack_tail": 8192, "manifest_piece": 4096, "log_entry": 3072, "checkpoint": 3072}
# How many executions a target gets, by how fast they are: one with signatures and encryption takes ten times as long.
SHARES = {
    "pack_table": 10, "pack_index": 10, "pack_member": 3, "pack_tail": 6, "manifest_line": 8, "manifest_piece": 5, "manifest_root": 8,
    "address_list": 12, "log_entry": 2, "checkpoint": 3, "repository_record": 4, "key_file": 4, "key_text": 5, "json_text": 12,
}


def build():
    """Where the programs are."""
    # No sanitizer: the format has no unsafe code, its heap is counted by the targets themselves, and all is built in half the time.
    subprocess.run(["cargo", "+nightly", "fuzz", "build", "--sanitizer", "none"], cwd=FORMAT, check=True)
    return FORMAT / "fuzz" / "target" / TRIPLE / "release"


def execute(program, name, runs):
    """The executions and seconds of one target. Ends the program where a fault is found."""
    found, artifacts = (FORMAT / "fuzz" / folder / name for folder in ("found", "artifacts"))
    for folder in (found, artifacts):
        folder.mkdir(parents=True, exist_ok=True)
    command = [
        program, f"-runs={runs}", f"-max_len={BYTES_MAX.get(name, 2048)}", f"-timeout={SECONDS_MAX}",
        f"-rss_limit_mb={MEMORY_MIB_MAX}", "-print_final_stats=1", f"-artifact_prefix={artifacts}/", found, CORPUS / name,
    ]
    began = time.monotonic()
    ran = subprocess.run(command, cwd=FORMAT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    text = ran.stdout.decode(errors="replace")
    done = re.search(r"stat::number_of_executed_units: (\d+)", text)
    if ran.returncode or not done:
        print(text[-6000:])
        raise SystemExit(f"{name}: the target broke; see archive-format/fuzz/artifacts/{name}")
    peak = re.search(r"stat::peak_rss_mb: +(\d+)", text)
    seconds = time.monotonic() - began
    print(f"{name:18} {int(done[1]):10,} executions, {seconds:6.0f} s, {int(done[1]) / seconds:8,.0f} a second, {peak[1]} MiB", flush=True)
    return int(done[1]), int(peak[1])


def main(executions, wanted):
    """Runs all targets and sums up."""
    if not shutil.which("rustup") or subprocess.run(["rustup", "run", "nightly", "rustc", "--version"], capture_output=True, check=False).returncode:
        print("No nightly Rust is at hand, so that nothing is fuzzed here; the plain tests (area rust) read the same corpus")
        return
    names = wanted or list(targets())
    programs = build()
    shares = sum(SHARES[name] for name in names)
    done = [execute(programs / name, name, executions * SHARES[name] // shares + 1) for name in names]
    line = f"fuzz: {sum(runs for runs, _ in done):,} executions of {len(names)} targets, no fault; at most {max(peak for _, peak in done)} MiB resident"
    print(line)
    if "MLARK_TESTS_FIGURES" in os.environ:
        with pathlib.Path(os.environ["MLARK_TESTS_FIGURES"]).open("a") as figures:
            figures.write(f"{line}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
