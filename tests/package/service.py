"""Starts a unit's ExecStart in a root folder as systemd would, and waits until the first snapshot is there.

    python3 service.py ROOT UNIT

The notify socket is ours: the unit must say READY=1, and its STATUS must come to name a finished backup. Then it is told to
end, and must do so by itself.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys

READY_SECONDS, SNAPSHOT_SECONDS, END_SECONDS = 60, 240, 12


def setting(unit: pathlib.Path, key: str) -> str:
    """The value of a unit's setting, which must be there once."""
    found = [line.split("=", 1)[1] for line in unit.read_text().splitlines() if line.startswith(f"{key}=")]
    if len(found) != 1:
        sys.exit(f"{unit}: {key} is there {len(found)} times")
    return found[0]


def heard(listener: socket.socket, what: str, seconds: float, fits) -> str:
    """The first message that fits."""
    listener.settimeout(seconds)
    last = "nothing"
    try:
        while True:
            last = listener.recv(4096).decode()
            if fits(last):
                return last
    except TimeoutError:
        sys.exit(f"no word of {what} within {seconds} s; the last was {last!r}")


def main() -> None:
    root, name = pathlib.Path(sys.argv[1]), sys.argv[2]
    unit = root / "usr/lib/systemd/system" / name
    user = setting(unit, "User")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    path = root / "run/notify"
    listener.bind(str(path))
    os.chmod(path, 0o666)
    as_user = ["chroot", root, "setpriv", f"--reuid={user}", f"--regid={setting(unit, 'Group')}", "--init-groups", "--"]
    command = [*as_user, "env", "HOME=/var/lib/mlark", "NOTIFY_SOCKET=/run/notify", *setting(unit, "ExecStart").split()]
    process = subprocess.Popen(command, env={"PATH": os.environ["PATH"]})
    try:
        heard(listener, "READY", READY_SECONDS, lambda text: "READY=1" in text)
        snapshots = [*as_user, "mlark", "snapshots", "--json"]
        while not json.loads(subprocess.run(snapshots, check=True, stdout=subprocess.PIPE).stdout)["snapshots"]:
            print(heard(listener, "a backup", SNAPSHOT_SECONDS, lambda text: "STATUS=" in text).strip())
    finally:
        process.terminate()
    if process.wait(END_SECONDS) != 0:
        sys.exit(f"the service ended with {process.returncode}")


if __name__ == "__main__":
    main()
