"""How many lines of the files that a fuzz target is about its corpus reaches. Fails below 80 of 100 in any.

    python3 tests/fuzz/coverage.py [TARGET…]

The plain test over the corpus is built with the compiler's own counters in archive-format alone (its dependencies are
those of every other test), run once for each target, and the counters are read by `cov` of the crate llvm_profparser,
since LLVM's own tools come with no Rust toolchain of Debian's age. Lines are those that the compiler made code of; the
file of a module has no unit tests in it, since those are not compiled here.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

from targets import FORMAT, ROOT, targets

GATE = 80
TEST = "every_target_holds_over_its_corpus"
SHOWN = re.compile(r" *\d+\| *(\d*)\|")


def build():
    """The test with counters."""
    wrapper = ROOT / "tests" / "fuzz" / "with_counters.sh"
    command = ["cargo", "test", "-p", "archive-format", "--test", "corpus", "--locked", "--no-run", "--message-format=json"]
    ran = subprocess.run(command, cwd=ROOT, env=os.environ | {"RUSTC_WORKSPACE_WRAPPER": str(wrapper)}, stdout=subprocess.PIPE, text=True, check=True)
    messages = (json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{"))
    made = [message["executable"] for message in messages if message.get("executable") and message["target"]["name"] == "corpus"]
    return made[-1]


def reached(binary, target, folder):
    """File to its lines that ran and all its lines, for the corpus of one target."""
    profile = os.path.join(folder, f"{target}.profraw")
    variables = {"LLVM_PROFILE_FILE": profile, "MLARK_TESTS_TARGET": target}
    subprocess.run([binary, "--exact", TEST], cwd=FORMAT, env=os.environ | variables, stdout=subprocess.DEVNULL, check=True)
    command = ["cov", "show", "--instr-profile", profile, "--object", binary]
    shown = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    counts, file = {}, None
    for line in shown.splitlines():
        if line.endswith(".rs") and "|" not in line:
            file = line.rpartition("archive-format/src/")[2]
        elif (found := SHOWN.match(line)) and found[1]:
            ran, all_lines = counts.get(file, (0, 0))
            counts[file] = (ran + (found[1] != "0"), all_lines + 1)
    return counts


def main(wanted):
    """Prints a line for each file, and says whether all reach the gate."""
    listed = targets()
    binary, low = build(), []
    with tempfile.TemporaryDirectory() as folder:
        for target in wanted or listed:
            counts = reached(binary, target, folder)
            for module in listed[target]:
                ran, lines = counts.get(module, (0, 0))
                share = 100 * ran / lines if lines else 0
                print(f"{target:18} {module:22} {ran:4} of {lines:4} lines, {share:5.1f} %", flush=True)
                if share < GATE:
                    low.append(module)
    if low:
        raise SystemExit(f"Less than {GATE} % of the lines are reached in: {', '.join(low)}")


if __name__ == "__main__":
    main(sys.argv[1:])
