"""Every signature of a file is found once, wherever it hides, and says what is odd about it."""

import re

import pytest

from signer.validation import raw_scan
from signer.validation.facts import SignatureFacts
from signer.validation.pdf import objects, sections
from signer.validation.pdf.values import parse_value
from signer.validation.pdf_facts import collect
from signer.validation.raw_scan import object_start as raw_scan_start
from tests.unit.packed_revisions import object_stream, packed_update
from tests.unit.test_validation_changes import NEW_SIGNATURE, STAMP, base, second, update, with_entry

OTHER = NEW_SIGNATURE


def only_new(data: bytes) -> SignatureFacts:
    """The one signature beside that of the base."""
    found = [s for s in collect(data).signatures if s.field != "Sig1"]
    assert len(found) == 1
    return found[0]


def says(signature: SignatureFacts, words: str) -> bool:
    return any(words in sentence for sentence in (*signature.faults, *signature.findings))


def test_an_ordinary_signature_has_no_fault_of_its_place() -> None:
    found = collect(base()).signatures[0]
    assert not any("dictionary" in fault or "field" in fault for fault in found.faults)
    assert found.findings == ()


def test_a_signature_to_which_nothing_refers() -> None:
    assert says(only_new(update(base(), {11: OTHER})), "nothing in the document refers to the signature")


def test_a_signature_outside_the_form() -> None:
    page = with_entry(6, b"/Annots [ 4 0 R 5 0 R 11 0 R ]", b"/Annots 9 0 R ")
    widget = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Out)/Rect[0 0 9 9]/V 12 0 R>>"
    found = only_new(update(base(), {6: page, 11: widget, 12: OTHER}))
    assert found.field == ""
    assert says(found, "outside the form")


def test_a_signature_that_no_section_names() -> None:
    hidden = b"77 0 obj\n" + OTHER + b"\nendobj\n"
    found = only_new(update(base() + hidden, {}))
    assert says(found, "no cross-reference section knows")
    assert found.modification == "forbidden"


def test_a_signature_of_revisions_that_were_cut_off() -> None:
    """The last section names all objects anew and has no /Prev: what was before is in no revision."""
    data = base()
    catalog = b"<< /Pages 3 0 R /Type /Catalog >>"
    pages = b"<< /Count 0 /Kids [ ] /Type /Pages >>"
    cut = update(data, {1: catalog, 3: pages})
    cut = re.sub(rb"/Prev \d+ (?=[^/]*/ID)", b"", cut)
    found = collect(cut).signatures
    assert len(found) == 1
    assert says(found[0], "no cross-reference section knows")
    assert found[0].modification == "forbidden"


def test_a_signature_that_a_later_revision_replaced() -> None:
    found = collect(update(base(), {8: b"(gone)"})).signatures
    assert len(found) == 1
    assert says(found[0], "of an earlier revision")


def test_a_signature_that_a_later_revision_took_out_of_its_field() -> None:
    found = collect(update(base(), {5: with_entry(5, b"", b"/V 8 0 R ")})).signatures
    assert len(found) == 1
    assert says(found[0], "took the signature out of its field 'Sig1'")


def test_a_field_that_a_later_revision_took_away_is_judged_still() -> None:
    found = collect(update(base(), {2: b"<< /Fields [ 4 0 R ] /SigFlags 3 >>", 9: b"[ 4 0 R ]"})).signatures
    assert [(s.field, s.modification) for s in found] == [("Sig1", "forbidden")]
    freed = collect(update(base(), {2: b"<< /Fields [ 4 0 R ] >>", 9: b"[ 4 0 R ]"}, free=5)).signatures
    assert [(s.field, s.modification) for s in freed] == [("", "forbidden")]
    assert says(freed[0], "took the signature out of its field")


@pytest.mark.parametrize("packed", [True, False])
def test_a_signature_in_an_object_stream_that_nothing_names(*, packed: bool) -> None:
    data = update(base(), {11: object_stream([(20, b"(a)"), (21, OTHER)], packed=packed)})
    found = only_new(data)
    assert says(found, "in an object stream")
    assert says(found, "byte range")


def test_a_field_whose_signature_is_in_an_object_stream() -> None:
    """No byte range can go around a /Contents that is packed: a copied one goes around another's."""
    data = base()
    dictionary = re.search(rb"\n8 0 obj\n(<<.*?>>)\nendobj", data, re.DOTALL)
    assert dictionary is not None
    copied = dictionary[1].replace(b"/Type /Sig", b"/Type /Sig /Reason (another)")
    plain = {11: b"<</FT/Sig/T(Sig2)/V 12 0 R>>", 2: b"<< /Fields [ 4 0 R 5 0 R 11 0 R ] /SigFlags 3 >>"}
    data = packed_update(data, plain, {13: [(12, copied)]}, section=14)
    found = {signature.field: signature for signature in collect(data).signatures}
    assert found.keys() == {"Sig1", "Sig2"}
    assert says(found["Sig2"], "not the one that stands around the signed /Contents")
    assert not says(found["Sig1"], "not the one")


def test_an_altered_copy_in_another_field_is_one_more_signature_and_fails() -> None:
    dictionary = re.search(rb"\n8 0 obj\n(<<.*?>>)\nendobj", base(), re.DOTALL)
    assert dictionary is not None
    copied = dictionary[1][:-2] + b"/Reason (I agree) >>"
    found = {s.field: s for s in collect(update(base(), second(copied))).signatures}
    assert found.keys() == {"Sig1", "Sig2"}
    assert says(found["Sig2"], "not the one that stands around")
    assert not says(found["Sig1"], "not the one")


def test_a_true_copy_in_another_field_is_the_same_signature() -> None:
    dictionary = re.search(rb"\n8 0 obj\n(<<.*?>>)\nendobj", base(), re.DOTALL)
    assert dictionary is not None
    found = collect(update(base(), second(dictionary[1]))).signatures
    assert [s.field for s in found] == ["Sig1"]
    assert says(found[0], "the field 'Sig2' holds the same signature")
    assert not says(found[0], "not the one")


def test_a_signature_in_two_fields_is_one_and_says_so() -> None:
    twice = {2: second(b"")[2], 11: b"<</FT/Sig/T(Sig2)/V 8 0 R>>"}
    found = collect(update(base(), twice)).signatures
    assert len(found) == 1
    assert says(found[0], "the field 'Sig2' holds the same signature")


@pytest.mark.parametrize(("flags", "hidden"), [(2, True), (32, True), (34, True), (4, False), (132, False)])
def test_a_hidden_field(flags: int, *, hidden: bool) -> None:
    found = only_new(update(base(), second(OTHER, extra=b"/F %d" % flags)))
    assert says(found, "is hidden") is hidden


def test_ranges_that_overlap() -> None:
    overlapping = OTHER.replace(b"[0 9 9 9]", b"[0 90 40 90]")
    assert says(only_new(update(base(), second(overlapping))), "ranges of the byte range overlap")


@pytest.mark.parametrize("kind", [b"/adbe.x509.rsa_sha1", b"/Own.Kind", b" 7"])
def test_an_odd_kind_is_listed(kind: bytes) -> None:
    odd = OTHER.replace(b"/ETSI.CAdES.detached", kind + b" ")
    assert says(only_new(update(base(), second(odd))), "of an unknown kind")


def test_names_spelled_with_numbers_are_still_seen() -> None:
    spelled = OTHER.replace(b"/ByteRange", b"/#42yteR#61nge")
    assert says(only_new(update(base(), {11: spelled})), "nothing in the document refers")


def test_a_document_time_stamp_that_no_field_holds_is_told_apart() -> None:
    facts = collect(update(base(), {11: STAMP}))
    assert [s.field for s in facts.signatures] == ["Sig1"]
    assert len(facts.document_timestamps) == 1
    assert any("nothing in the document" in fault for fault in facts.document_timestamps[0].faults)


def test_a_signature_is_never_counted_twice() -> None:
    """In a field, again as an object that no field holds, in an object stream, and before an old section."""
    data = update(base(), {**second(OTHER), 13: OTHER, 14: object_stream([(30, OTHER)])})
    data = update(data + b"88 0 obj\n" + OTHER + b"\nendobj\n", {})
    assert sorted(s.field for s in collect(data).signatures) == ["Sig1", "Sig2"]


def test_usage_rights_are_no_signature() -> None:
    rights = OTHER[:-2] + b"/Reference[<</Type/SigRef/TransformMethod/UR3>>]>>"
    assert [s.field for s in collect(update(base(), {11: rights})).signatures] == ["Sig1"]


# ---- findings


STORE = {
    1: with_entry(1, b"/DSS 11 0 R"),
    11: b"<</Certs[12 0 R]/VRI<</ABABABABABABABABABABABABABABABABABABABAB<</Cert[12 0 R]>>>>>>",
    12: b"<</Length 1>>stream\nx\nendstream",
}


@pytest.mark.parametrize(
    "removal",
    [
        {11: b"<</Certs[]/VRI<</ABABABABABABABABABABABABABABABABABABABAB<</Cert[12 0 R]>>>>>>"},
        {11: b"<</VRI<</ABABABABABABABABABABABABABABABABABABABAB<</Cert[12 0 R]>>>>>>"},
        {11: b"<</Certs[12 0 R]>>"},
        {11: b"<</Certs[12 0 R]/VRI<<>>>>"},
        {1: with_entry(1, b"")},
    ],
    ids=["from a list", "a list", "the index", "from the index", "all"],
)
def test_validation_data_removed_is_allowed_and_told(removal: dict[int, bytes]) -> None:
    stored = update(base(), STORE)
    assert collect(stored).signatures[0].findings == ()
    found = collect(update(stored, removal)).signatures[0]
    assert found.modification == "allowed"
    assert found.findings == ("validation data removed",)


# ---- cost


def chain(signatures: int) -> bytes:
    """One revision for each further signature, each repeating the growing lists as signing software does."""
    data, listed = base(), b"4 0 R 5 0 R"
    for n in range(signatures):
        number = 20 + 2 * n
        listed += b" %d 0 R" % number
        contents = b"<%04x>" % (n + 1)
        written = {
            2: b"<< /Fields [ %s ] /SigFlags 3 >>" % listed,
            9: b"[ %s ]" % listed,
            number: b"<</FT/Sig/T(S%d)/V %d 0 R/Type/Annot/Subtype/Widget/Rect[0 0 0 0]>>" % (n, number + 1),
            number + 1: OTHER.replace(b"<cd>", contents),
        }
        data = update(data, written)
    return data


def test_work_grows_with_the_number_of_signatures_and_not_with_its_square(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Counted in objects parsed, which no other load on the machine changes."""
    counts: dict[int, int] = {}
    for signatures in (20, 80):
        parsed = 0

        def counted(*given: object) -> object:
            nonlocal parsed
            parsed += 1
            return parse_value(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(objects, "parse_value", counted)
        monkeypatch.setattr(sections, "parse_value", counted)
        assert len(collect(chain(signatures)).signatures) == signatures + 1
        counts[signatures] = parsed
    assert counts[80] < 4.1 * counts[20]


def test_names_that_stand_in_no_object_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """They do not make the search for an object go back over the file for each."""
    looked = 0

    def counted(data: bytes, position: int, floor: int = 0) -> int | None:
        nonlocal looked
        looked += position - floor
        return raw_scan_start(data, position, floor)

    monkeypatch.setattr(raw_scan, "object_start", counted)
    data = update(base() + b"%" + b"/ByteRange " * 5_000 + b"\n", {})
    assert len(collect(data).signatures) == 1
    assert looked < 2 * len(data)
