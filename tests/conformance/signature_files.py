"""One signature of every form, key and level, for judges; and of every form one that no judge may pass."""

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from signer.asic.archiving import finish_archiving, prepare_archiving
from signer.asic.signing import DataFile
from signer.asic.writing import measure
from signer.cades.signing import SignatureOptions, sign_content
from signer.forms import AsicE, Detached, Enveloping, Form, NewAsicS
from signer.keys import SigningKey
from signer.pades import signing as pades
from signer.pades.augmentation import append_material, finish_timestamp, prepare_timestamp
from signer.pieces import Piece, octets
from signer.signature_files import SignatureFile
from tests.conformance.documents import sample
from tests.conformance.signing_city_hall import ARCHIVED, SIGNED, CityHall

PADES, DETACHED, ASIC_S, ASIC_E = "PAdES", "CAdES-detached", "ASiC-S", "ASiC-E"
LEVELS = ("B-B", "B-T", "B-LT", "B-LTA")
TAMPERED = (("ECDSA P-256", "B-T"), ("Ed25519", "B-T"))
"""Keys and levels of the files of which there is also one with another octet in what is signed."""

CONTENT = "Dispoziția nr. 12 a primarului comunei Lunca Teilor\n".encode() * 40
ANNEX = b"Anexa la dispozitia nr. 12\n"
FORMS: Mapping[str, Callable[[Path], Form]] = {
    DETACHED: Detached,
    "CAdES-enveloping": lambda content: Enveloping(content, hashlib.sha256(CONTENT).digest()),
    ASIC_S: lambda content: NewAsicS(_data_file(content)),
    ASIC_E: lambda content: AsicE.of_files((_data_file(content), _data_file(content.with_name("annex")))),
}
"""What a signature of the file at a path is put into; PAdES is a way of its own."""

SIGNED_MEMBERS = {ASIC_S: ("content.txt", CONTENT), ASIC_E: ("META-INF/ASiCManifest001.xml", b"text/plain")}
"""Of a container the member that its signature is over, and something that is in there."""


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


def make_files(hall: CityHall, folder: Path) -> list[SignedFile]:
    """Sign with every key in every form, raise each signature from level to level, and tamper with some."""
    content = folder / "content"
    content.write_bytes(CONTENT)
    content.with_name("annex").write_bytes(ANNEX)
    files: list[SignedFile] = []
    with hall.keys() as keys:
        for name, key in keys:
            for form, level, made in _signed(hall, key, content):
                path = folder / f"{len(files)}.signed"
                path.write_bytes(made)
                files.append(SignedFile(form, name, level, path, content if form == DETACHED else None))
    return files + [_tampered(file) for file in files if (file.key, file.level) in TAMPERED]


def _signed(hall: CityHall, key: SigningKey, content: Path) -> Iterator[tuple[str, str, bytes]]:
    """Form, level and octets of all that one key signs."""
    growing = content.with_name("growing")
    for level, made in zip(LEVELS, _pdf_levels(hall, key, growing), strict=True):
        yield PADES, level, made
    for form, made_of in FORMS.items():
        file = SignatureFile(growing, content if form == DETACHED else None)
        for level, pieces in zip(LEVELS, _cades_levels(hall, key, made_of(content), file), strict=True):
            made = b"".join(octets(pieces))
            growing.write_bytes(made)
            yield form, level, made


def _pdf_levels(hall: CityHall, key: SigningKey, growing: Path) -> Iterator[bytes]:
    made = sample()
    growing.write_bytes(made)
    section = pades.sign_section(growing, key, pades.SignatureOptions(SIGNED))
    yield made + pades.finish(section, None)
    token = hall.stamp(hashlib.sha256(pades.signature_value(section)).digest(), SIGNED)
    yield (made := made + pades.finish(section, token))
    growing.write_bytes(made)
    yield (made := made + append_material(growing, hall.material))
    growing.write_bytes(made)
    timestamp = prepare_timestamp(growing, reserve=8192)
    yield made + finish_timestamp(timestamp, hall.stamp(timestamp.digest, ARCHIVED))


def _cades_levels(
    hall: CityHall, key: SigningKey, form: Form, file: SignatureFile
) -> Iterator[tuple[Piece, ...]]:
    """Each level in turn; `file` is where the one before has been written."""
    signature = sign_content(form.digest, key, SignatureOptions(SIGNED))
    yield form.pieces(signature, None, SIGNED)
    token = hall.stamp(hashlib.sha256(signature.signature).digest(), SIGNED)
    yield form.pieces(signature, token, SIGNED)
    (signer,) = file.signers(())
    yield file.with_material([signer.name], hall.material, ARCHIVED)
    if isinstance(form, AsicE):
        archive = prepare_archiving(file.path)
        yield finish_archiving(file.path, archive, hall.stamp(archive.imprint, ARCHIVED), ARCHIVED)
    else:
        prepared = file.prepare_archive_time_stamp(signer)
        token = hall.stamp(prepared.imprint, ARCHIVED)
        yield file.with_archive_time_stamp(signer, prepared, token, ARCHIVED)


def _data_file(path: Path) -> DataFile:
    return DataFile(f"{path.name}.txt", "text/plain", measure(path))


def _tampered(file: SignedFile) -> SignedFile:
    """A copy of the file with another octet in what is signed."""
    made = file.path.read_bytes()
    path = file.path.with_suffix(".tampered")
    if file.content is not None:
        content = file.content.with_suffix(".tampered")
        content.write_bytes(_changed(CONTENT, CONTENT))
        path.write_bytes(made)
        return replace(file, path=path, content=content, is_tampered=True)
    if file.form == PADES:
        path.write_bytes(_changed(made, b"\n%\xc3\xa4"))
    elif file.form in SIGNED_MEMBERS:
        path.write_bytes(_with_changed_member(made, *SIGNED_MEMBERS[file.form]))
    else:
        path.write_bytes(_changed(made, CONTENT))
    return replace(file, path=path, is_tampered=True)


def _with_changed_member(container: bytes, name: str, part: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(container)) as before, zipfile.ZipFile(made, "w") as after:
        for member in before.namelist():
            content = before.read(member)
            after.writestr(member, _changed(content, part) if member == name else content)
    return made.getvalue()


def _changed(whole: bytes, part: bytes) -> bytes:
    at = whole.index(part) + 3
    return whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
