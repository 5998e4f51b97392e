"""opencryptoki's soft token: RSA only, the serial number 123, and a PIN that locks."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from signer.tokens.provision import KeyKind
from softhsm.isolation import private_folder, require_isolation
from softhsm.pki import TestPki
from softhsm.provider import Provider, daemon, plans, require_files
from softhsm.provision import fill_token, make_token, token_maker

NAME = "opencryptoki"
KINDS: tuple[KeyKind, ...] = ("rsa2048", "rsa3072")

_MODULE = Path("/usr/lib/x86_64-linux-gnu/pkcs11/PKCS11_API.so")
_DAEMON = Path("/usr/sbin/pkcsslotd")
_CONFIGURATION = Path("/etc/opencryptoki")
_STATE = Path("/var/lib/opencryptoki")
_LOCKS = Path("/run/lock/opencryptoki")
_RUNTIME = Path("/run/opencryptoki")
_SOCKET = Path("/run/pkcsslotd.socket")
_GROUP = "pkcs11"
_LABEL = "opencryptoki"
_FACTORY_SO_PIN = "87654321"


@contextmanager
def opencryptoki(folder: Path, pki: TestPki) -> Iterator[Provider]:
    """Start its daemon with a token that holds a key of each kind, and stop it at the end of the block.

    One token only: 3.8.1 mixes up the files of several soft tokens. Raises FailedPreconditionError
    PROVIDER_NOT_AVAILABLE, UnavailableError PROVIDER_FAILED or of the token.
    """
    require_files("opencryptoki", _MODULE, _DAEMON)
    require_isolation()
    folder.mkdir()
    _configure()
    first, *others = (replace(plan, label=_LABEL) for plan in plans(KINDS))
    with daemon((_DAEMON, "-f"), folder / "pkcsslotd.log", _SOCKET.exists, os.environ):
        with token_maker({}) as maker:
            made = make_token(maker, _MODULE, first, pki, factory_so_pin=_FACTORY_SO_PIN)
            more = [
                fill_token(maker, _MODULE, plan, pki, pin=made.pin, so_pin=made.so_pin) for plan in others
            ]
        yield Provider(NAME, _MODULE, {}, (made, *more), spare=made)


def _configure() -> None:
    """Write a configuration with one slot, and make the folders that the package makes."""
    private_folder(_CONFIGURATION)
    private_folder(_STATE)
    slot = f"slot 0\n{{\nstdll = libpkcs11_sw.so\ntokname = {_LABEL}\n}}\n"
    (_CONFIGURATION / "opencryptoki.conf").write_text(f"version opencryptoki-3.1\n{slot}", encoding="ascii")
    _RUNTIME.mkdir()
    for path in (_STATE / _LABEL / "TOK_OBJ", _LOCKS / _LABEL):
        path.mkdir(parents=True)
    for top in (_STATE, _LOCKS):
        for path in (top, *top.rglob("*")):
            shutil.chown(path, group=_GROUP)
            path.chmod(0o770)
