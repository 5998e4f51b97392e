"""Reading XML signatures: what is covered, what matches, and all the ways to lie about it."""

from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from signer.validation.facts import Integrity
from signer.validation.xades.document import XmlDocument, XmlError
from signer.validation.xades.enveloped import read_enveloped
from signer.validation.xades.signatures import XmlSignature, read_xml_signatures
from tests.unit.validation_documents import SIGNER, SIGNING, SUB, issue
from tests.unit.xades_signatures import DOCUMENT, DS, EXCLUSIVE, Part, sign

ENVELOPED_DOCUMENT = sign(DOCUMENT)
FILES = {"act.txt": b"Hot\xc4\x83r\xc3\xa2re"}


def read(document: bytes, files: dict[str, bytes] | None = None) -> XmlSignature:
    """The one signature of a document."""
    known = FILES if files is None else files
    (signature,) = read_xml_signatures(document, lambda uri: [known[uri]] if uri in known else None)
    return signature


def holds(signature: XmlSignature) -> bool:
    return bool(signature.digest_matches and signature.verifying_certificate())


def test_an_enveloped_signature_gives_what_it_is_over() -> None:
    signature = read(ENVELOPED_DOCUMENT)
    assert holds(signature)
    document, properties = signature.references
    assert document.octets == DOCUMENT.replace(b'nr="7" xmlns="urn:primarie"', b'xmlns="urn:primarie" nr="7"')
    assert document.target is not None and document.target.tag == "{urn:primarie}act"
    assert properties.target is not None and properties.target.get("Id") == "sig-1-properties"


def test_rsa_and_files_outside_verify_too() -> None:
    signer = issue("Ana", SUB, SIGNING, key=rsa.generate_private_key(65537, 2048))
    document = sign(b"", Part("act.txt", FILES["act.txt"], ()), signer=signer)
    assert holds(read(document))
    assert read(document, {"act.txt": b"other"}).digest_matches is False
    missing = read(document, {})
    assert missing.digest_matches is None
    assert [each.fault for each in missing.references] == ["what it is over is missing", ""]


@pytest.mark.parametrize(
    ("old", "new", "digests", "value"),
    [
        (b"Se aprob", b"Se resping", False, True),
        (b'nr="7"', b'nr="8"', False, True),
        (b"2024-06-01T12:00:00Z", b"2024-06-02T12:00:00Z", False, True),
        (b"</act>", b"<anex/></act>", False, True),
        (b"</act>", b" </act>", False, True),
        (b"<text>", b"<text><!-- a comment is not signed -->", True, True),
        (b'Id="sig-1-r0"', b'Id="sig-1-rX"', True, False),
        (b"ecdsa-sha256", b"ecdsa-sha384", True, False),
    ],
)
def test_changes_are_seen(old: bytes, new: bytes, digests: bool, value: bool) -> None:
    assert old in ENVELOPED_DOCUMENT
    signature = read(ENVELOPED_DOCUMENT.replace(old, new, 1))
    assert signature.digest_matches is digests
    assert bool(signature.verifying_certificate()) is value


WRAPPED = sign(b'<cerere><suma Id="s">10</suma></cerere>', Part("#s", None, (EXCLUSIVE,)), properties=False)


def test_the_covered_element_is_given_wherever_it_was_moved() -> None:
    """Who signed 10 did not sign 9999: the reference leads to what was moved, not to its place."""
    moved = WRAPPED.replace(b'<suma Id="s">10</suma>', b"<suma>9999</suma>").replace(
        b"</ds:Signature>", b'<ds:Object><suma Id="s">10</suma></ds:Object></ds:Signature>'
    )
    signature = read(moved)
    assert holds(signature)
    (reference,) = signature.references
    assert reference.octets == b'<suma Id="s">10</suma>'
    assert reference.target is not None
    assert reference.target.getparent() is not None
    assert reference.target.getparent().tag == f"{{{DS}}}Object"  # type: ignore[union-attr]


@pytest.mark.parametrize("attribute", ["Id", "ID", "id", "xml:id"])
def test_an_id_claimed_twice_is_nobodys(attribute: str) -> None:
    doubled = WRAPPED.replace(b"<cerere>", f'<cerere><suma {attribute}="s">9999</suma>'.encode())
    (reference,) = read(doubled).references
    assert (reference.matches, reference.is_ambiguous) == (None, True)


def test_a_reference_to_nothing_or_by_a_query_does_not_match() -> None:
    for uri in (b"#t", b"#xpointer(//suma)", b"#", b"act.xml", b"https://example.org/"):
        (reference,) = read(WRAPPED.replace(b'URI="#s"', b'URI="' + uri + b'"')).references
        assert reference.matches is None
        assert reference.fault


@pytest.mark.parametrize(
    "transform",
    [
        '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"><x/></ds:Transform>',
        '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116">'
        "<ds:XPath>not(self::suma)</ds:XPath></ds:Transform>",
        '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116">'
        '<ds:XPath xmlns:e="urn:e">not(ancestor-or-self::e:Signature)</ds:XPath></ds:Transform>',
        '<ds:Transform Algorithm="http://www.w3.org/2002/06/xmldsig-filter2">'
        '<f:XPath xmlns:f="http://www.w3.org/2002/06/xmldsig-filter2" Filter="intersect">'
        "/descendant::ds:Signature</f:XPath></ds:Transform>",
        '<ds:Transform Algorithm="urn:unknown"/>',
    ],
)
def test_transforms_that_could_hide_something_are_refused(transform: str) -> None:
    changed = WRAPPED.replace(b"<ds:Transforms>", b"<ds:Transforms>" + transform.encode())
    (reference,) = read(changed).references
    assert reference.matches is None
    assert "is refused" in reference.fault


@pytest.mark.parametrize(
    "transform",
    [
        '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116">'
        "<ds:XPath>not(ancestor-or-self::ds:Signature)</ds:XPath></ds:Transform>",
        '<ds:Transform Algorithm="http://www.w3.org/2002/06/xmldsig-filter2">'
        '<f:XPath xmlns:f="http://www.w3.org/2002/06/xmldsig-filter2" Filter="subtract">'
        "/descendant::ds:Signature</f:XPath></ds:Transform>",
    ],
)
def test_transforms_that_only_leave_signatures_out_are_done(transform: str) -> None:
    enveloped = f'<ds:Transform Algorithm="{DS}enveloped-signature"/>'.encode()
    assert enveloped in ENVELOPED_DOCUMENT
    signature = read(ENVELOPED_DOCUMENT.replace(enveloped, transform.encode()))
    assert signature.digest_matches is True
    assert signature.verifying_certificate() is None  # SignedInfo is another one now


def test_base64_and_manifests_are_followed() -> None:
    base64 = f'<ds:Object xmlns:ds="{DS}" Id="o">SG90\n<!-- -->xINy</ds:Object>'
    part = Part("#o", "Hotăr".encode(), (f"{DS}base64",))
    assert holds(read(sign(b"", part, properties=False, objects=base64)))
    digest = "y0qNw0bIBVfTxNHJCVTfLZyAlqLyHZGFCgi3R4H2vLQ="
    manifest = (
        f'<ds:Object><ds:Manifest xmlns:ds="{DS}" Id="m"><ds:Reference URI="act.txt">'
        '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
        f"<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:Manifest></ds:Object>"
    )
    signature = read(sign(b"", Part("#m", None, (EXCLUSIVE,)), properties=False, objects=manifest))
    assert [each.matches for each in signature.references] == [True, False]
    assert signature.digest_matches is False


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<ds:SignatureValue ", b"<ds:Object/><ds:SignatureValue "),
        (b"<ds:KeyInfo>", b"<ds:SignatureValue/><ds:KeyInfo>"),
        (b"<ds:SignedInfo>", b"<ds:SignedInfo/><ds:SignedInfo>"),
        (b"<ds:DigestValue>", b"<ds:DigestValue/><ds:DigestValue>"),
        (b"<ds:X509Certificate>", b"<ds:X509Certificate>!"),
        (b'<ds:CanonicalizationMethod Algorithm="', b'<ds:CanonicalizationMethod Algorithm="urn:'),
        (b"<ds:SignedInfo>", b"<ds:SignedInfo><ds:Reference/>"),
    ],
)
def test_a_malformed_signature_is_told_of_and_verifies_nothing(old: bytes, new: bytes) -> None:
    assert old in WRAPPED
    signature = read(WRAPPED.replace(old, new, 1))
    assert signature.fault
    assert not holds(signature)
    assert signature.digest_matches is None


def test_a_comment_within_a_digest_cannot_shorten_it() -> None:
    value = WRAPPED.index(b"<ds:DigestValue>") + len(b"<ds:DigestValue>") + 8
    assert holds(read(WRAPPED[:value] + b"<!-- -->" + WRAPPED[value:]))
    with_comments = WRAPPED.replace(
        f'Method Algorithm="{EXCLUSIVE}"'.encode(), f'Method Algorithm="{EXCLUSIVE}WithComments"'.encode()
    )
    value = with_comments.index(b"<ds:DigestValue>") + len(b"<ds:DigestValue>") + 8
    assert read(with_comments[:value] + b"<!-- -->" + with_comments[value:]).fault


# ---- the one signature around a whole document


def test_the_signature_around_a_whole_document() -> None:
    found = read_enveloped(ENVELOPED_DOCUMENT)
    assert (found.integrity, found.signer_certificate, found.fault) == (Integrity.INTACT, SIGNER.der, "")
    assert b"Signature" not in found.content
    assert {use.digest for use in found.algorithms} == {"sha256"}


def test_a_root_element_by_its_id_is_the_whole_document() -> None:
    document = DOCUMENT.replace(b"<act ", b'<act Id="tsl" ')
    signed = sign(document, Part("", DOCUMENT), properties=False)  # the digest is corrected below
    whole = read(signed.replace(b'URI=""', b'URI="#tsl"')).references[0].octets
    assert whole is not None
    found = read_enveloped(sign(document, Part("#tsl", whole)))
    assert (found.integrity, found.content) == (Integrity.INTACT, whole)


@pytest.mark.parametrize(
    "document",
    [
        DOCUMENT,
        sign(ENVELOPED_DOCUMENT, identifier="sig-2"),
        WRAPPED,
        sign(DOCUMENT, Part(), Part("act.txt", b"")),
        sign(DOCUMENT, below="{urn:primarie}titlu"),
        b"<!DOCTYPE a><a/>",
        b"",
        b"no XML",
        ENVELOPED_DOCUMENT.replace(b"Se aprob", b"Se resping"),
        ENVELOPED_DOCUMENT.replace(b'Id="sig-1-r0"', b'Id="sig-1-r9"'),
        ENVELOPED_DOCUMENT.replace(b"ecdsa-sha256", b"hmac-sha256"),
        ENVELOPED_DOCUMENT.replace(b"sig-1-properties", b"sig-1-value", 1),
    ],
)
def test_whatever_is_not_signed_as_a_whole_gives_no_content(document: bytes) -> None:
    found = read_enveloped(document)
    assert found.integrity is not Integrity.INTACT
    assert found.content == b""
    assert found.fault


def test_signed_properties_of_somewhere_else_are_not_the_signatures() -> None:
    """The reference must lead into the signature itself, or what others read there was not signed."""
    start = ENVELOPED_DOCUMENT.index(b"<ds:Object>")
    end = ENVELOPED_DOCUMENT.index(b"</ds:Signature>")
    outside = ENVELOPED_DOCUMENT[:start] + ENVELOPED_DOCUMENT[end:]
    objects = ENVELOPED_DOCUMENT[start:end]
    moved = outside.replace(b"</act>", objects.replace(b"<ds:", b"<ds:") + b"</act>")
    moved = moved.replace(b"<act ", f'<act xmlns:ds="{DS}" '.encode())
    assert read_enveloped(moved).integrity is not Integrity.INTACT


# ---- hostile XML


@pytest.mark.parametrize(
    "octets",
    [
        b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><a>&d;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b'<!DOCTYPE a [<!ATTLIST a Id ID "x">]><a/>',
        b"<a>" * 5000,
        b"<a>" * 300 + b"</a>" * 300,
        b"<a " + b" ".join(b'a%d=""' % number for number in range(1000)) + b"/>",
        b"<a>" + b"".join(b'<b xmlns:p%d="urn:%d">' % (n, n) for n in range(300)) + b"</b>" * 300 + b"</a>",
        b"<a>&#0;</a>",
        b"<a/><b/>",
        b'<?xml version="1.0" encoding="no-such-thing"?><a/>',
        "<a>ă</a>".encode("utf-16")[:-3],
        b'<?xml version="1.0" encoding="UTF-8"?><a>\xff</a>',
    ],
)
def test_xml_that_is_not_to_be_read(octets: bytes) -> None:
    with pytest.raises(XmlError):
        XmlDocument(octets)


def test_what_a_document_makes_its_reader_do_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred references, each of which canonicalises the whole document, are not all followed."""
    monkeypatch.setattr("signer.validation.xades.document._MAX_WORK", 20 * len(WRAPPED))
    reference = WRAPPED[WRAPPED.index(b"<ds:Reference") : WRAPPED.index(b"</ds:SignedInfo>")]
    assert read(WRAPPED.replace(reference, reference * 2)).fault == ""
    with pytest.raises(XmlError, match="too often"):
        read(WRAPPED.replace(reference, reference.replace(b'"#s"', b'""') * 100))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_damage_ends_in_an_untyped_error_or_a_false_accept(data: st.DataObject) -> None:
    octets = bytearray(ENVELOPED_DOCUMENT)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(octets) - 1))
        octets[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    found = read_enveloped(bytes(octets))
    if found.integrity is Integrity.INTACT:
        assert found.content == read_enveloped(ENVELOPED_DOCUMENT).content
    with suppress(XmlError):
        read_xml_signatures(bytes(octets), lambda _: None)
