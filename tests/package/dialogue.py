"""`mlark init` on a terminal, as somebody on a new machine meets it: it asks, shows what it would write, and writes it.

    python3 dialogue.py ROOT     ROOT: a fresh system with the package installed, without a configuration

An interrupted dialogue leaves no trace. What is asked wrongly is asked again. Afterwards the configuration passes its check,
and a backup works.
"""

import os
import pathlib
import pty
import select
import subprocess
import sys
import time

SECONDS = 60


class Terminal:
    """The program on a terminal of its own."""

    def __init__(self, root: pathlib.Path):
        self.child, self.side = pty.fork()
        if self.child == 0:
            os.execvp("chroot", ["chroot", root, "env", "-i", "PATH=/usr/bin:/bin", "HOME=/root", "TERM=xterm", "mlark", "init"])
        self.said = ""

    def read(self) -> bool:
        """More of what it says; false once it has ended."""
        if not select.select([self.side], [], [], 0.2)[0]:
            return True
        try:
            piece = os.read(self.side, 4096)
        except OSError:
            return False
        self.said += piece.decode(errors="replace")
        return bool(piece)

    def answer(self, question: str, text: str) -> None:
        """Waits until it is asked, and types."""
        until = time.monotonic() + SECONDS
        while question not in self.said:
            if not self.read() or time.monotonic() > until:
                sys.exit(f"{question!r} is not asked:\n{self.said}")
        self.said = self.said.split(question, 1)[1]
        os.write(self.side, text.encode())

    def end(self) -> int:
        until = time.monotonic() + SECONDS
        while self.read():
            if time.monotonic() > until:
                sys.exit(f"it does not end:\n{self.said}")
        return os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])


def inside(root: pathlib.Path, *words: str) -> str:
    return subprocess.run(["chroot", root, *words], check=True, stdout=subprocess.PIPE, text=True, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}).stdout


def main() -> None:
    root = pathlib.Path(sys.argv[1])
    config = root / "etc/mlark/mlark.toml"

    given_up = Terminal(root)
    given_up.answer("keep the backups", "/srv/first\n")
    given_up.answer("What to back up", "\x03")
    code = given_up.end()
    assert code == 130, f"an interrupted dialogue ends with {code}"
    assert not config.exists() and not (root / "srv/first").exists(), "an interrupted dialogue left something"

    asked = Terminal(root)
    asked.answer("keep the backups", "/srv/first\n")
    asked.answer("What to back up", "\n")
    asked.answer("something must be named", "")
    asked.answer("What to back up", "/usr/share/mlark\n")
    asked.answer("Its name here [mlark]", "docs\n")
    asked.answer("Time zone", "Europe/Nowhere\n")
    asked.answer("is not known", "")
    asked.answer("Time zone", "Etc/UTC\n")
    asked.answer("When", "30 3 * * *\n")
    asked.answer("Who can open", "\n")
    asked.answer("File for the new key", "\n")
    asked.answer('schedule = "30 3 * * *"', "")
    asked.answer("make the repository?", "yes\n")
    code = asked.end()
    assert code == 0, f"the dialogue ends with {code}:\n{asked.said}"
    about = inside(root, "stat", "-c", "%U:%G %a", "/etc/mlark/mlark.toml", "/root/mlark-owner.key").split("\n")
    assert about[:2] == ["root:mlark 640", "root:root 600"], about
    inside(root, "mlark", "config", "check")
    inside(root, "mlark", "-q", "backup")
    inside(root, "mlark", "-q", "check", "--read-data", "--identity-file", "/root/mlark-owner.key")
    print("dialogue: asked, written, backed up, checked with the new key; interrupted it left no trace")


if __name__ == "__main__":
    main()
