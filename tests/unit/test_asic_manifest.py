"""Manifests: what we write is read again, and what cannot be followed is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pecete.errors import InvalidArgumentError
from signer.asic.directory import is_safe_name
from signer.asic.manifest import MAX_SIZE, Manifest, Reference, free_number, read_manifest, write_manifest

SHA256 = bytes(range(32))
ONE = Manifest("META-INF/signature001.p7s", (Reference("act.txt", "text/plain", "sha256", SHA256),))


@given(
    st.lists(st.text(min_size=1, max_size=20).filter(is_safe_name), min_size=1, max_size=5, unique=True),
    st.text("abc/+.-&<\"'", max_size=10),
)
def test_what_is_written_is_read_again(names: list[str], mime_type: str) -> None:
    references = tuple(
        Reference(name, mime_type, "sha256", SHA256, is_root=not index) for index, name in enumerate(names)
    )
    manifest = Manifest("META-INF/signature001.p7s", references)
    assert read_manifest(write_manifest(manifest)) == manifest
    assert manifest.find(names[-1]) == references[-1]
    assert manifest.find("elsewhere") is None


def changed(old: str, new: str) -> bytes:
    text = write_manifest(ONE).decode()
    assert old in text
    return text.replace(old, new, 1).encode()


EXTENSION = '<asic:ASiCManifestExtensions><asic:Extension Critical="true"/></asic:ASiCManifestExtensions>'
BAD = {
    "no XML": b"these are words",
    "cut": write_manifest(ONE)[:-5],
    "an entity": changed("standalone", 'standalone="no"?><!DOCTYPE a [<!ENTITY b "c">]><?x').replace(
        b'?x="no"?', b"?x?"
    ),
    "another root": changed("asic:ASiCManifest ", "asic:Other ").replace(
        b"/asic:ASiCManifest", b"/asic:Other"
    ),
    "another namespace": changed("02918/v1.2.1", "02918/v9"),
    "no signature": changed("SigReference", "Reference"),
    "no file": changed("act.txt", ""),
    "up": changed("act.txt", "../act.txt"),
    "up in disguise": changed("act.txt", "%2e%2e/act.txt"),
    "elsewhere": changed("act.txt", "https://example.org/act.txt"),
    "a fragment": changed("act.txt", "act.txt#part"),
    "no UTF-8": changed("act.txt", "%ff"),
    "a digest that is none": changed("<ds:DigestValue>", "<ds:DigestValue>!"),
    "a critical extension": changed("</asic:ASiCManifest>", f"{EXTENSION}</asic:ASiCManifest>"),
    "too deep": b"<a>" * 10_000,
    "too long": b" " * (MAX_SIZE + 1),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_followed_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        read_manifest(BAD[name])
    assert (refused.value.reason, refused.value.field) == ("MANIFEST_MALFORMED", "document")


def test_the_same_file_twice_is_refused_and_a_harmless_extension_is_not() -> None:
    row = write_manifest(ONE).decode().partition("<asic:DataObjectReference")[2].partition("</asic:ASiCM")[0]
    with pytest.raises(InvalidArgumentError):
        read_manifest(changed("</asic:ASiCManifest>", f"<asic:DataObjectReference{row}</asic:ASiCManifest>"))
    harmless = EXTENSION.replace("true", "false")
    assert read_manifest(changed("</asic:ASiCManifest>", f"{harmless}</asic:ASiCManifest>")) == ONE


def test_an_unknown_digest_is_kept_as_unknown() -> None:
    assert read_manifest(changed("xmlenc#sha256", "xmlenc#ripemd160")).references[0].digest_algorithm == ""
    assert (
        read_manifest(changed("2001/04/xmlenc#sha256", "2000/09/xmldsig#sha1")).references[0].digest_algorithm
        == ""
    )


def test_free_numbers() -> None:
    assert free_number(["a001", "b002"], "a{:03}", "b{:03}") == 3
