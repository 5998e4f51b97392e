"""What a document is, by its first bytes: signatures and containers of signatures among the rest."""

from pathlib import Path

import pytest

from server.media_type import SNIFF_BYTES, file_suffix, media_type
from tests.unit.asic_containers import asic_e, asic_s
from tests.unit.cades_signatures import in_ber, long_term, signed

ZIP = b"PK\x03\x04" + bytes(26)


@pytest.mark.parametrize("octets", [signed(), long_term(signed()), in_ber(signed())])
def test_a_detached_signature(octets: bytes) -> None:
    assert media_type(octets[:SNIFF_BYTES]) == "application/pkcs7-signature"


@pytest.mark.parametrize("octets", [signed(enveloping=True), in_ber(signed(enveloping=True))])
def test_a_signature_with_its_content(octets: bytes) -> None:
    assert media_type(octets[:SNIFF_BYTES]) == "application/pkcs7-mime"


def test_containers(tmp_path: Path) -> None:
    found = [media_type(path.read_bytes()[:SNIFF_BYTES]) for path in (asic_e(tmp_path), asic_s(tmp_path))]
    assert found == ["application/vnd.etsi.asic-e+zip", "application/vnd.etsi.asic-s+zip"]
    assert media_type(ZIP + b"word/document.xml") == "application/zip"


def test_suffixes() -> None:
    assert file_suffix(media_type(b"%PDF-1.7")) == ".pdf"
    assert file_suffix(media_type("Hotărâre".encode())) == ".txt"
    assert file_suffix(media_type(b"\0\1\2")) == ""
