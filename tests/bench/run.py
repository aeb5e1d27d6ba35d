"""Backs up and restores one folder with mlark and with restic in turn, both encrypted, and prints the ratios.

    python tests/bench/run.py [--bytes 1e9] [--rounds 3] [--mlark PATH] [--gate]

Each round: a new repository each; first backup, backup of the unchanged folder, backup after a day's changes, restore
of everything. Who goes first alternates. Printed are medians of time, processor time and resident memory, mlark's
over restic's, and the sizes of the repositories. What is restored is compared with the source byte by byte.

`--gate` exits with 1 where mlark is slower in anything, its repository larger than 0.85 of restic's, or its resident
memory 256 MiB or more; `--gate-size` looks at size and memory alone. Times are of this machine and this moment: only
their ratios say anything.
"""

import argparse
import dataclasses
import filecmp
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

STEPS = ("first", "unchanged", "changed", "restore")
SIZE_MAX = 0.85
MEMORY_MAX = 256 << 20


@dataclasses.dataclass
class Figures:
    seconds: float
    cpu_seconds: float
    memory_bytes: int


def timed(command: list, environment: dict) -> Figures:
    """Runs a command as a whole process; its own figures, as the kernel counted them."""
    os.sync()
    with tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            sys.exit(f"{' '.join(map(str, command))}: exit code {process.returncode}\n{errors.read().decode(errors='replace')}")
    return Figures(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10)


class Mlark:
    def __init__(self, program: pathlib.Path, work: pathlib.Path, source: pathlib.Path):
        self.program, self.source, self.repository = program, source, work / "mlark"
        self.environment = dict(os.environ, HOME=str(work), XDG_CACHE_HOME=str(work / "cache"), MLARK_CONFIG=str(work / "mlark.toml"))
        (work / "mlark.toml").write_text(
            f'[repository]\nurl = "{self.repository}"\ncache = "{work / "cache"}"\nkey_file = "{work / "agent.key"}"\n'
            f'identity_file = "{work / "owner.key"}"\n[[workspace]]\nname = "bench"\nurl = "{source}"\n')
        generated = self.call("key", "generate", "--output", work / "owner.key", "--json")
        self.call("init", "--recipient", json.loads(generated)["recipient"])

    def call(self, *words) -> bytes:
        return subprocess.run([self.program, *words], env=self.environment, check=True, stdout=subprocess.PIPE).stdout

    def backup(self) -> Figures:
        return timed([self.program, "backup", "--quiet"], self.environment)

    def restore(self, target: pathlib.Path) -> Figures:
        return timed([self.program, "restore", "apply", "latest", "--into", target, "--yes", "--quiet"], self.environment)


class Restic:
    def __init__(self, program: pathlib.Path, work: pathlib.Path, source: pathlib.Path):
        self.program, self.source, self.repository = program, source, work / "restic"
        self.environment = dict(os.environ, HOME=str(work), RESTIC_CACHE_DIR=str(work / "restic-cache"),
                                RESTIC_REPOSITORY=str(self.repository), RESTIC_PASSWORD="bench")
        subprocess.run([self.program, "init", "--quiet"], env=self.environment, check=True)

    def backup(self) -> Figures:
        return timed([self.program, "backup", "--quiet", self.source], self.environment)

    def restore(self, target: pathlib.Path) -> Figures:
        return timed([self.program, "restore", "--quiet", "latest", "--target", target], self.environment)


def stored(folder: pathlib.Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def same(source: pathlib.Path, target: pathlib.Path) -> int:
    """How many files there are, all equal; what is missing or differs ends the run."""
    files = [path.relative_to(source) for path in source.rglob("*") if path.is_file()]
    restored = sum(1 for path in target.rglob("*") if path.is_file() and ".mlark" not in path.parts)
    wrong = [path for path in files if not (target / path).is_file() or not filecmp.cmp(source / path, target / path, shallow=False)]
    if wrong or restored != len(files):
        sys.exit(f"{target}: {len(wrong)} of {len(files)} files are missing or different, {restored} are there: {wrong[:3]}")
    return len(files)


def write_source(source: pathlib.Path, given: argparse.Namespace, *more: str) -> None:
    """In a process of its own: the kernel counts what a process held before it became another program as that one's memory."""
    script = pathlib.Path(__file__).with_name("generate.py")
    subprocess.run([sys.executable, script, source, "--bytes", str(given.bytes), "--seed", str(given.seed), *more], check=True)


def one_round(number: int, given: argparse.Namespace, work: pathlib.Path, results: dict) -> None:
    source = work / "source"
    write_source(source, given)
    tools = [("mlark", Mlark, given.mlark), ("restic", Restic, given.restic)]
    if number % 2:
        tools.reverse()
    made = {}
    for name, tool, program in tools:
        (work / name).mkdir()
        made[name] = tool(program, work / name, source)
    for step in STEPS:
        if step == "changed":
            write_source(source, given, "--changed")
        for name, tool in made.items():
            if step == "restore":
                target = work / f"{name}-restored"
                figures = tool.restore(target)
                same(source, target if name == "mlark" else target / source.relative_to("/"))
            else:
                figures = tool.backup()
            results[name][step].append(figures)
            results[name]["size"].append(stored(tool.repository))


def median(figures: list, what: str) -> float:
    return statistics.median(getattr(one, what) for one in figures)


def report(results: dict, title: str) -> tuple:
    """Prints the table. Whether size and memory are within their bounds, and whether nothing is slower."""
    ours, theirs, small, quick, kept, most = results["mlark"], results["restic"], True, True, [], 0
    print(f"{'':10} {'seconds':^24} {'processor seconds':^24} {'memory MiB':^24}")
    print(f"{'':10} " + "  ".join([f"{'mlark':>7} {'restic':>7} {'ratio':>7}"] * 3))
    for step in STEPS:
        row, ratios = [], {}
        for what, unit, digits in (("seconds", 1, 2), ("cpu_seconds", 1, 2), ("memory_bytes", 1 << 20, 0)):
            mine, other = median(ours[step], what) / unit, median(theirs[step], what) / unit
            ratios[what] = mine / other
            row.append(f"{mine:7.{digits}f} {other:7.{digits}f} {mine / other:7.2f}")
        print(f"{step:10} {'  '.join(row)}")
        memory = median(ours[step], "memory_bytes")
        small &= memory < MEMORY_MAX
        quick &= ratios["seconds"] <= 1
        kept.append(f"{step} {ratios['seconds']:.2f} (processor {ratios['cpu_seconds']:.2f}, memory {ratios['memory_bytes']:.2f})")
        most = max(most, memory)
    mine, other = max(ours["size"]), max(theirs["size"])
    print(f"repository {mine / 1e6:.1f} MB, restic's {other / 1e6:.1f} MB, ratio {mine / other:.3f}")
    keep(f"{title}, mlark over restic: {', '.join(kept)}, repository {mine / other:.3f}; at most {most / (1 << 20):.0f} MiB resident")
    return small and mine / other <= SIZE_MAX, quick


def keep(figures: str) -> None:
    """Adds a line of figures to the file that the record of long forms is made from, where one is named."""
    if path := os.environ.get("MLARK_TESTS_FIGURES"):
        with open(path, "a") as file:
            file.write(figures + "\n")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--bytes", type=float, default=1e9)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seed", type=int, default=7)
    arguments.add_argument("--mlark", type=pathlib.Path, default=pathlib.Path("target/release/mlark"))
    arguments.add_argument("--restic", default=shutil.which("restic"))
    arguments.add_argument("--gate", action="store_true")
    arguments.add_argument("--gate-size", action="store_true")
    given = arguments.parse_args()
    if not given.restic or not given.mlark.is_file():
        sys.exit("Both programs are needed: restic on the PATH, and mlark built (cargo build --release --workspace --bins) or given by --mlark")
    given.mlark = given.mlark.resolve()
    version = subprocess.run([given.restic, "version"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    title = f"{given.bytes / 1e9:g} GB, {given.rounds} rounds, {os.cpu_count()} cores, {version}"
    print(title)
    results = {name: {key: [] for key in (*STEPS, "size")} for name in ("mlark", "restic")}
    for number in range(given.rounds):
        with tempfile.TemporaryDirectory(prefix="mlark-bench-") as work:
            one_round(number, given, pathlib.Path(work).resolve(), results)
    small, quick = report(results, title)
    if (given.gate and not (small and quick)) or (given.gate_size and not small):
        sys.exit("Not within its bounds")


if __name__ == "__main__":
    main()
