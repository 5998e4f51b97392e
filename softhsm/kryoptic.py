"""kryoptic's tokens: a module in Rust over OpenSSL that keeps them in SQLite files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from signer.tokens.provision import KeyKind
from softhsm.kryoptic_build import MODULE, VERSION
from softhsm.pki import TestPki
from softhsm.provider import SPARE, Provider, not_available, plans
from softhsm.provision import make_token, token_maker

NAME = "kryoptic"
KINDS: tuple[KeyKind, ...] = ("rsa2048", "rsa3072", "p256", "p384")

_SLOT = """
[[slots]]
slot = {slot}
dbtype = "sqlite"
dbargs = "{path}"
"""


@contextmanager
def kryoptic(folder: Path, pki: TestPki) -> Iterator[Provider]:
    """Make a token for each kind of key, and a spare one; a further slot stays blank.

    Raises FailedPreconditionError PROVIDER_NOT_AVAILABLE, UnavailableError of the token.
    """
    if not MODULE.exists():
        raise not_available("build it with `python3 softhsm/kryoptic_build.py`")
    folder.mkdir()
    wanted = (*plans(KINDS), SPARE)
    names = (*(plan.label for plan in wanted), "blank")
    slots = (_SLOT.format(slot=slot, path=folder / f"{name}.sql") for slot, name in enumerate(names))
    configuration = folder / "kryoptic.conf"
    configuration.write_text("".join(slots), encoding="utf-8")
    environment = {"KRYOPTIC_CONF": str(configuration)}
    with token_maker(environment) as maker:
        *tokens, spare = [make_token(maker, MODULE, plan, pki) for plan in wanted]
    yield Provider(NAME, MODULE, environment, tuple(tokens), spare, version=VERSION)
