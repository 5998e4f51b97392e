"""Runs a command where daemons of the machine can be started without the machine noticing.

    python -m softhsm.isolation COMMAND [ARGUMENT...]

Some PKCS#11 modules talk to daemons at fixed places: a socket in /run, tokens in /var/lib, shared memory, a
port. Root runs the command in namespaces of its own (unshare of util-linux): /run, /dev/shm and the folders
that `private_folder` is asked for are empty ones, for the command alone; there is no network but a loopback
of its own; what it started ends with it. Anybody else runs the command as it is; `private_folder` refuses.
"""

import os
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from fcntl import ioctl
from pathlib import Path
from shutil import which

from pecete.errors import FailedPreconditionError

_OUTSIDE = "PECETE_OUTER_NAMESPACE"
"""Variable that tells an isolated process from which mount namespace it came."""

_NAMESPACE = Path("/proc/self/ns/mnt")
_NAMESPACES = ("--mount", "--ipc", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
_RUNTIME = Path("/run")
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - hidden, not written to
_LOCKS = _RUNTIME / "lock"
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1


def is_isolated() -> bool:
    """Say whether this process runs in namespaces of its own."""
    return os.environ.get(_OUTSIDE, "") not in ("", str(_NAMESPACE.readlink()))


def require_isolation() -> None:
    """Raise FailedPreconditionError PROVIDER_NOT_AVAILABLE where daemons would touch the machine itself."""
    if not is_isolated():
        raise FailedPreconditionError(
            "PROVIDER_NOT_AVAILABLE",
            "its daemon needs namespaces of its own: run `./pecete test hsm` as root",
        )


def private_folder(path: Path) -> None:
    """Hide a folder of the machine behind an empty one, until the isolated command ends.

    Raises FailedPreconditionError PROVIDER_NOT_AVAILABLE outside of isolation.
    """
    require_isolation()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "none", path], check=True)


def main(command: Sequence[str]) -> None:
    """Become the command, isolated where that is possible."""
    if is_isolated():
        _raise_loopback()
        private_folder(_RUNTIME)
        private_folder(_SHARED_MEMORY)
        _LOCKS.mkdir()
    elif os.geteuid() == 0 and which("unshare") and _can_unshare():
        os.environ[_OUTSIDE] = str(_NAMESPACE.readlink())
        again = [sys.executable, "-m", "softhsm.isolation", *command]
        os.execvp("unshare", ["unshare", *_NAMESPACES, *again])
    os.execvp(command[0], list(command))


def _can_unshare() -> bool:
    return subprocess.run(["unshare", *_NAMESPACES, "true"], capture_output=True, check=False).returncode == 0


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))


if __name__ == "__main__":
    main(sys.argv[1:])
