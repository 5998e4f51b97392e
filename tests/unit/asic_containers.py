"""Containers with signatures of the small authority of `validation_documents`, made with keys in memory."""

import io
import zipfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from signer.asic.archiving import finish_archiving, prepare_archiving
from signer.asic.signing import DataFile, member_names
from signer.asic.writing import measure
from signer.cades.signing import sign_content
from signer.forms import AsicE, Form, FurtherAsicS, NewAsicS
from signer.pieces import Piece, octets
from signer.signature_files import SignatureFile
from tests.unit.cades_signatures import LATER, MATERIAL, OPTIONS, P256, SoftwareKey, stamp, value_token
from tests.unit.validation_documents import SIGNED

FILES = {"act țară.txt": "Hotărârea nr. 7\n".encode() * 40, "anexa & 1.xml": b'<?xml version="1.0"?><a/>'}


def put(path: Path, pieces: Sequence[Piece]) -> Path:
    """Write a file from pieces."""
    path.write_bytes(b"".join(octets(pieces)))
    return path


def data_files(folder: Path, files: dict[str, bytes] | None = None) -> tuple[DataFile, ...]:
    """Files below a folder, to be signed."""
    made = []
    for number, (name, content) in enumerate((files or FILES).items()):
        path = folder / f"data-{number}"
        path.write_bytes(content)
        made.append(DataFile(name, "text/plain", measure(path)))
    assert [file.name for file in made] == member_names(file.name for file in made)
    return tuple(made)


def sign_form(
    form: Form, key: SoftwareKey = P256, *, stamped: bool = True, time: datetime = SIGNED
) -> tuple[Piece, ...]:
    """A signature in a form."""
    signature = sign_content(form.digest, key, OPTIONS)
    return form.pieces(signature, value_token(signature, time) if stamped else None, time)


def asic_e(folder: Path, key: SoftwareKey = P256, *, stamped: bool = True, name: str = "made.asice") -> Path:
    """An ASiC-E of FILES at B-T, or B-B."""
    return put(folder / name, sign_form(AsicE.of_files(data_files(folder)), key, stamped=stamped))


def asic_s(folder: Path, key: SoftwareKey = P256, *, stamped: bool = True, name: str = "made.asics") -> Path:
    """An ASiC-S of the first of FILES at B-T, or B-B."""
    return put(folder / name, sign_form(NewAsicS(data_files(folder)[0]), key, stamped=stamped))


def further(path: Path, key: SoftwareKey, name: str) -> Path:
    """The container with one signature more."""
    form = AsicE.of_container(path) if path.suffix == ".asice" else FurtherAsicS(path)
    return put(path.with_name(name), sign_form(form, key))


def with_material(path: Path, name: str) -> Path:
    """The container at B-LT."""
    file = SignatureFile(path)
    names = sorted({place.name for place in file.signers(())})
    return put(path.with_name(name), file.with_material(names, MATERIAL, LATER))


def archived(path: Path, name: str, time: datetime = LATER) -> Path:
    """The container with one more archive time-stamp over each signature."""
    if path.suffix == ".asice":
        prepared = prepare_archiving(path)
        token = stamp(prepared.imprint, time)
        return put(path.with_name(name), finish_archiving(path, prepared, token, time))
    for place in SignatureFile(path).signers(()):
        file = SignatureFile(path)
        archive = file.prepare_archive_time_stamp(place)
        pieces = file.with_archive_time_stamp(place, archive, stamp(archive.imprint, time), time)
        path = put(path.with_name(f"{place.index}-{name}"), pieces)
    return path.rename(path.with_name(name))


def members(path: Path) -> dict[str, bytes]:
    """Every member by name, in order, as Python's zipfile reads them."""
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as container:
        assert container.testzip() is None
        return {name: container.read(name) for name in container.namelist()}
