"""One signature of every form, key and level, for judges; and of every form one that no judge may pass."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from signer.cades import signing as cades
from signer.cades.archive_timestamp import finish_archive_timestamp, prepare_archive_timestamp
from signer.cades.augmentation import add_material
from signer.keys import SigningKey
from signer.pades import signing as pades
from signer.pades.augmentation import append_material, finish_timestamp, prepare_timestamp
from tests.conformance.documents import sample
from tests.conformance.signing_city_hall import ARCHIVED, SIGNED, CityHall

LEVELS = ("B-B", "B-T", "B-LT", "B-LTA")
TAMPERED = ("ECDSA P-256", "B-T")
"""Key and level of the files of which there is also one with another octet in what is signed."""

CONTENT = "Dispoziția nr. 12 a primarului comunei Lunca Teilor\n".encode() * 40
DETACHED = cades.octets_content(CONTENT)


@dataclass(frozen=True)
class SignedFile:
    """A file to be judged; content: what its signature is over, where that stands apart.

    is_tampered: no judge may pass it.
    """

    form: str
    key: str
    level: str
    path: Path
    content: Path | None = None
    is_tampered: bool = False


def pades_levels(hall: CityHall, key: SigningKey, folder: Path) -> Iterator[bytes]:
    """A PDF at each level."""
    path = folder / "growing"
    path.write_bytes(sample())
    section = pades.sign_section(path, key, pades.SignatureOptions(SIGNED))
    yield sample() + pades.finish(section, None)
    token = hall.stamp(hashlib.sha256(pades.signature_value(section)).digest(), SIGNED)
    yield (stamped := sample() + pades.finish(section, token))
    path.write_bytes(stamped)
    yield (kept := stamped + append_material(path, hall.material))
    path.write_bytes(kept)
    timestamp = prepare_timestamp(path, reserve=8192)
    yield kept + finish_timestamp(timestamp, hall.stamp(timestamp.digest, ARCHIVED))


def detached_levels(hall: CityHall, key: SigningKey, folder: Path) -> Iterator[bytes]:
    """A CAdES signature beside its content at each level."""
    signature = cades.sign_content(DETACHED, key, cades.SignatureOptions(SIGNED))
    yield cades.finish(signature, None)
    yield (stamped := cades.finish(signature, value_token(hall, signature)))
    yield from long_term_levels(hall, stamped, DETACHED)


def enveloping_levels(hall: CityHall, key: SigningKey, folder: Path) -> Iterator[bytes]:
    """A CAdES signature around its content at each level."""
    signature = cades.sign_content(DETACHED, key, cades.SignatureOptions(SIGNED))
    for token in (None, value_token(hall, signature)):
        around = cades.enclose(signature, token, len(CONTENT))
        yield (enclosed := around.head + CONTENT + around.tail)
    yield from long_term_levels(hall, enclosed, None)


def value_token(hall: CityHall, signature: cades.CompletedSignature) -> bytes:
    return hall.stamp(hashlib.sha256(signature.signature).digest(), SIGNED)


def long_term_levels(hall: CityHall, stamped: bytes, content: cades.ContentDigest | None) -> Iterator[bytes]:
    yield (kept := add_material(stamped, hall.material))
    prepared = prepare_archive_timestamp(kept, 0, content)
    yield finish_archive_timestamp(kept, prepared, hall.stamp(prepared.imprint, ARCHIVED))


FORMS: Mapping[str, Callable[[CityHall, SigningKey, Path], Iterator[bytes]]] = {
    "PAdES": pades_levels,
    "CAdES detached": detached_levels,
    "CAdES enveloping": enveloping_levels,
}


DETACHED_FORMS = {"CAdES detached"}


def make_files(hall: CityHall, folder: Path) -> list[SignedFile]:
    """Sign with every key in every form, raise each signature from level to level, and tamper with some."""
    content = folder / "content"
    content.write_bytes(CONTENT)
    files: list[SignedFile] = []
    with hall.keys() as keys:
        for name, key in keys:
            for form, levels in FORMS.items():
                apart = content if form in DETACHED_FORMS else None
                for level, octets in zip(LEVELS, levels(hall, key, folder), strict=True):
                    path = folder / f"{len(files)}.signed"
                    path.write_bytes(octets)
                    files.append(SignedFile(form, name, level, path, apart))
    return files + [tampered(file) for file in files if (file.key, file.level) == TAMPERED]


def tampered(file: SignedFile) -> SignedFile:
    """A copy of the file with another octet in what is signed."""
    octets = (file.content or file.path).read_bytes()
    at = max(octets.find(CONTENT), 0) + len("%PDF-1.6\n%")
    changed = octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :]
    path = file.path.with_name(f"{file.path.stem}-changed.signed")
    if file.content is None:
        path.write_bytes(changed)
        return replace(file, path=path, is_tampered=True)
    path.write_bytes(file.path.read_bytes())
    content = path.with_name("changed-content")
    content.write_bytes(changed)
    return replace(file, path=path, content=content, is_tampered=True)
