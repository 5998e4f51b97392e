"""Attacks on containers (ETSI EN 319 162-1): files renamed, added, taken out, manifests, mimetype."""

import io
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from tests.attacks.cases import Attack
from tests.unit.asic_containers import FILES, asic_e, asic_s, further
from tests.unit.cades_signatures import P384

FIRST, SECOND = FILES
_MANIFEST, _SIGNATURE = "META-INF/ASiCManifest001.xml", "META-INF/signature001.p7s"
_MIMETYPE = "mimetype"
_OTHER = b"Hotararea nr. 7: plata a 9000 lei\n"


@cache
def made(kind: str) -> bytes:
    """A container at B-T: `e` and `s` as ASiC calls them, `ee` an ASiC-E of two signatures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if kind == "s":
            return asic_s(folder).read_bytes()
        path = asic_e(folder)
        return (further(path, P384, "two.asice") if kind == "ee" else path).read_bytes()


def _members(kind: str) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(made(kind))) as container:
        return {name: container.read(name) for name in container.namelist()}


def _zipped(members: Mapping[str, bytes], *more: tuple[str, bytes], comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as container:
        for name, content in (*members.items(), *more):
            container.NameToInfo.pop(name, None)  # a name twice is what is wanted
            container.writestr(zipfile.ZipInfo(name, (2024, 6, 1, 12, 0, 0)), content)
        container.comment = comment
    return out.getvalue()


def _changed(kind: str, changes: Mapping[str, bytes | None]) -> Callable[[], bytes]:
    """Members changed, added, or taken out (None)."""

    def make() -> bytes:
        whole: dict[str, bytes | None] = {**_members(kind), **changes}
        return _zipped({name: content for name, content in whole.items() if content is not None})

    return make


def _renamed(kind: str, names: Mapping[str, str]) -> Callable[[], bytes]:
    return lambda: _zipped({names.get(name, name): content for name, content in _members(kind).items()})


def _manifest(old: bytes, new: bytes) -> Callable[[], bytes]:
    """Octets of the manifest replaced."""

    def make() -> bytes:
        members = _members("e")
        assert old in members[_MANIFEST]
        return _zipped(members | {_MANIFEST: members[_MANIFEST].replace(old, new)})

    return make


def _signatures_swapped() -> bytes:
    members = _members("ee")
    second = "META-INF/signature002.p7s"
    return _zipped(members | {_SIGNATURE: members[second], second: members[_SIGNATURE]})


def _manifests_swapped() -> bytes:
    members = _members("ee")
    second = "META-INF/ASiCManifest002.xml"
    return _zipped(members | {_MANIFEST: members[second], second: members[_MANIFEST]})


def _member_twice() -> bytes:
    return _zipped(_members("e"), (FIRST, _OTHER))


def _commented() -> bytes:
    return _zipped(_members("e"), comment=b"8 lei")


def _order_changed() -> bytes:
    members = _members("e")
    later = {name: content for name, content in members.items() if name != _MIMETYPE}
    return _zipped({_MIMETYPE: members[_MIMETYPE], **dict(reversed(later.items()))})


def _before_the_first_member() -> bytes:
    return b"PK\x03\x04" + bytes(26) + made("e")


def _second_signature() -> bytes:
    members = _members("s")
    return _zipped(members, ("META-INF/signature2.p7s", members["META-INF/signature.p7s"]))


def _as_made(kind: str) -> Callable[[], bytes]:
    return lambda: made(kind)


_HASH, _FORMAT, _NOT_FOUND = "HASH_FAILURE", "FORMAT_FAILURE", "SIGNED_DATA_NOT_FOUND"
_AMBIGUOUS, _NONE = "CONTAINER_AMBIGUOUS", "UNSUPPORTED_FORMAT"
_SAME = "as it was made"
ATTACKS = (
    Attack("a file changed", _changed("e", {FIRST: _OTHER}), _HASH, _order_changed, "in another order"),
    Attack(
        "a file renamed", _renamed("e", {FIRST: "alt act.txt"}), _FORMAT, _order_changed, "in another order"
    ),
    Attack(
        "two files that changed their names",
        _renamed("e", {FIRST: SECOND, SECOND: FIRST}),
        _HASH,
        _order_changed,
        "in another order",
    ),
    Attack("a file added", _changed("e", {"anexa 2.txt": _OTHER}), _FORMAT, _as_made("ee"), "signed by two"),
    Attack("a file taken out", _changed("e", {SECOND: None}), _NOT_FOUND, _commented, "a comment in the ZIP"),
    Attack("a file twice", _member_twice, _AMBIGUOUS, _as_made("e"), _SAME),
    Attack(
        "a file in a folder of its own", _renamed("e", {FIRST: f"x/{FIRST}"}), _FORMAT, _as_made("e"), _SAME
    ),
    Attack("the manifest taken out", _changed("e", {_MANIFEST: None}), _FORMAT, _as_made("e"), _SAME),
    Attack("the manifest changed", _manifest(b"text/plain", b"text/html"), _HASH, _as_made("e"), _SAME),
    Attack(
        "the signatures swapped", _signatures_swapped, _HASH, _manifests_swapped, "manifests by other names"
    ),
    Attack("another mimetype", _changed("e", {_MIMETYPE: b"application/zip"}), _NONE, _as_made("e"), _SAME),
    Attack("something before it", _before_the_first_member, _AMBIGUOUS, _as_made("e"), _SAME),
    Attack("ASiC-S: the file changed", _changed("s", {FIRST: _OTHER}), _HASH, _as_made("s"), _SAME),
    Attack("ASiC-S: a file added", _changed("s", {"anexa 2.txt": _OTHER}), _AMBIGUOUS, _as_made("s"), _SAME),
    Attack("ASiC-S: the file taken out", _changed("s", {FIRST: None}), _NOT_FOUND, _as_made("s"), _SAME),
    Attack("ASiC-S: two signatures", _second_signature, _FORMAT, _as_made("s"), _SAME),
)
"""Attacks on the first signature of a container."""
