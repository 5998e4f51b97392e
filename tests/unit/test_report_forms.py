"""The readable report in both languages, as a page and as sheets, and what the XML says of the evidence."""

import io
import json
from dataclasses import replace
from typing import Any

import pikepdf
import pypdfium2
import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from signer.validation.engine import examine
from signer.validation.facts import AlgorithmUse, Malformed
from signer.validation.indication import Conclusion, SubIndication
from signer.validation.policy import ValidationPolicy
from signer.validation.report import ReportError, ValidationReport
from signer.validation.reports import vocabulary
from signer.validation.reports.content import Tone, content_of, printable
from signer.validation.reports.english import ENGLISH
from signer.validation.reports.etsi import render_xml
from signer.validation.reports.page import render_html
from signer.validation.reports.pdf import render_pdf
from signer.validation.reports.romanian import ROMANIAN
from signer.validation.reports.sheet import Style, read_png
from tests.unit.report_samples import CHANGED, EARLIER, GOOD_NEWS, OTHER_LETTERS, TIME, VERDICT, png
from tests.unit.validation_documents import GOOD, ROOT, SIGNED, SIGNER, SUB, blank, crl, policy, sign

# ---- words


def statements(report: ValidationReport, language: str = "ro") -> dict[str, str]:
    (section,) = content_of(report, "ro" if language == "ro" else "en").sections[:1]
    return {row.name: row.value for row in section.statements}


def test_each_question_is_answered_apart() -> None:
    told = statements(GOOD_NEWS)
    assert list(told) == ["Integritate", "Modificări", "Identitate", "Calificare", "Timp"]
    assert told["Timp"] == (
        "Dovedit: semnătura exista la 22.12.2025, ora 14:00:00 (UTC+02:00), potrivit mărcii temporale de la "
        "Autoritatea."
    )
    assert "Ștefan Țurcanu" in told["Identitate"]
    assert statements(OTHER_LETTERS, "en")["Qualification"].startswith("Qualified electronic signature")


def test_who_signed_is_told_with_the_reason_against_it() -> None:
    verdict = replace(VERDICT, identity="untrusted", identity_reason="the certificate of Ana is on hold")
    told = statements(replace(GOOD_NEWS, signatures=(verdict,)))
    assert told["Identitate"] == (
        "Neverificată: certificatul numește pe Ștefan Țurcanu, dar nu ne putem baza pe el. "
        "Certificatul „Ana” este suspendat."
    )


def test_a_qualification_that_is_open_says_what_it_would_be() -> None:
    verdict = replace(VERDICT, qualification="Indeterminate QESeal")
    told = statements(replace(GOOD_NEWS, signatures=(verdict,)))["Calificare"]
    assert told.startswith("Nedeterminată") and told.endswith(ROMANIAN.qualification["QESeal"])


def test_a_time_that_only_the_signer_states_is_not_proven() -> None:
    verdict = replace(VERDICT, timestamps=(), best_signature_time=TIME)
    told = statements(replace(GOOD_NEWS, signatures=(verdict,)))
    assert told["Timp"] == "Nedovedit: 22.12.2025, ora 14:00:00 (UTC+02:00) este doar ce declară semnatarul."
    silent = replace(verdict, signing_time=None)
    assert statements(replace(GOOD_NEWS, signatures=(silent,)))["Timp"] == "Nedovedit și nedeclarat."


def test_the_verdicts_own_sentences_are_told_in_romanian() -> None:
    revoked = Conclusion(
        SubIndication.REVOKED_NO_POE, "the certificate of Ana was revoked at 2025-05-01T12:00:00+00:00"
    )
    (section,) = content_of(
        replace(GOOD_NEWS, signatures=(replace(VERDICT, conclusion=revoked),)), "ro"
    ).sections
    assert section.sentences == (
        ROMANIAN.reasons["REVOKED_NO_POE"],
        "Certificatul „Ana” a fost revocat la 01.05.2025, ora 15:00:00 (UTC+03:00).",
    )
    lists = {listing.heading: listing.items for listing in content_of(CHANGED, "ro").sections[0].lists}
    assert lists == {
        "Ce s-a constatat în document": ("pagina (obiectul 3): /Rotate s-a schimbat",),
        "De știut": ("s-au șters date de validare",),
    }


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        (
            "annotation FreeText added on page 1 hides what was there",
            "adnotarea FreeText pe pagina 1 acoperă ce era acolo",
        ),
        (
            "page 2: field 'A' and signature field 'B' overlap",
            "pagina 2: câmpul 'A' și câmpul de semnătură 'B' se suprapun",
        ),
        ("field 'A': /AP changed", "câmpul 'A': /AP s-a schimbat"),
        ("page annotations: signature placed", "adnotările paginii: s-a așezat o semnătură"),
        ("catalog /OpenAction changed", "catalogul documentului (/OpenAction): s-a schimbat"),
        ("the sky {0} fell", "the sky {0} fell"),
    ],
)
def test_findings_are_told_in_romanian_as_far_as_they_are_known(sentence: str, told: str) -> None:
    verdict = replace(VERDICT, findings=(sentence,))
    (section,) = content_of(replace(GOOD_NEWS, signatures=(verdict,)), "ro").sections
    assert section.lists[0].items == (told,)


def test_every_sub_indication_has_its_reason_in_both_languages() -> None:
    for texts in (ROMANIAN, ENGLISH):
        assert {str(kind) for kind in SubIndication} <= texts.reasons.keys()


def test_a_change_that_is_not_permitted_is_told_from_an_odd_form() -> None:
    assert content_of(CHANGED, "ro").why.items == (f"1. Ștefan Țurcanu: {ROMANIAN.changed}",)
    odd = replace(
        VERDICT, conclusion=Conclusion(SubIndication.FORMAT_FAILURE, "odd"), faults=("bytes after it",)
    )
    assert content_of(replace(GOOD_NEWS, signatures=(odd,)), "ro").why.items == (
        ROMANIAN.reasons["FORMAT_FAILURE"],
    )


@pytest.mark.parametrize(
    ("reason", "tone", "why"),
    [
        ("DOCUMENT_DAMAGED", Tone.OPEN, ROMANIAN.errors["DOCUMENT_DAMAGED"]),
        (str(Malformed.UNDECODABLE), Tone.BAD, ROMANIAN.errors["SIGNATURE_UNDECODABLE"]),
        ("SOMETHING_ELSE", Tone.OPEN, "It is so."),
    ],
)
def test_what_could_not_be_judged_says_why(reason: str, tone: Tone, why: str) -> None:
    content = content_of(replace(GOOD_NEWS, signatures=(), error=ReportError(reason, "It is so.")), "ro")
    assert (content.tone, content.why.items) == (tone, (why,))


def test_many_reasons_are_counted_rather_than_told() -> None:
    open_one = replace(VERDICT, conclusion=Conclusion(SubIndication.TRY_LATER, "too old"))
    content = content_of(replace(GOOD_NEWS, signatures=(open_one,) * 20), "ro")
    assert content.headline == "Semnături a căror valabilitate nu se poate stabili: 20 din 20."
    assert (len(content.why.items), content.why.items[-1]) == (9, "și încă 12")


def test_control_characters_do_not_turn_the_sense_of_a_text() -> None:
    assert printable("a\u202eb\x00\n c\u0301") == "ab ć"
    assert len(printable("x" * 5000)) == 1001


# ---- the sheets


def words_of(pdf: bytes) -> str:
    with pypdfium2.PdfDocument(pdf) as document:
        return "\n".join(page.get_textpage().get_text_range() for page in document)


def test_the_sheets_say_what_the_page_says() -> None:
    told = words_of(render_pdf(CHANGED)).replace("\r\n", " ").replace("\n", " ")
    content = content_of(CHANGED, "ro")
    assert content.headline in told
    for section in content.sections:
        for row in (*section.statements, *section.details):
            assert row.value in told
    assert "Pagina 1 din" in told and "Ștefan Țurcanu" in told


def test_letters_that_the_fonts_lack_are_question_marks_and_never_empty_boxes() -> None:
    assert "1. ????? ?? gnp.tca" in words_of(render_pdf(OTHER_LETTERS))


def structure(pdf: pikepdf.Pdf) -> list[str]:
    tags: list[str] = []
    todo = [pdf.Root.StructTreeRoot.K]
    while todo:
        element = todo.pop()
        if isinstance(element, pikepdf.Dictionary) and "/S" in element:
            tags.append(str(element.S))
            kids: Any = element.K
            todo += list(kids)
    return tags


def test_the_sheets_are_tagged_and_every_mark_leads_to_its_element() -> None:
    with pikepdf.open(io.BytesIO(render_pdf(CHANGED))) as pdf:
        tags = structure(pdf)
        assert {"/H1", "/H2", "/H3", "/P", "/Table", "/TR", "/TH", "/TD", "/L", "/LI", "/Figure"} <= set(tags)
        assert tags.count("/H1") == 1 and tags.count("/Figure") == 2
        assert str(pdf.Root.Lang) == "ro" and bool(pdf.Root.MarkInfo.Marked)
        parents = pdf.Root.StructTreeRoot.ParentTree.Nums
        for index, page in enumerate(pdf.pages):
            marks = page.Contents.read_bytes().count(b"/MCID")
            assert int(parents[2 * index]) == index and len(parents[2 * index + 1]) == marks


def test_the_same_report_gives_the_same_file() -> None:
    assert render_pdf(CHANGED) == render_pdf(CHANGED)


@given(st.text(max_size=200), st.floats(30, 300))
def test_lines_fit_and_lose_no_letter(text: str, room: float) -> None:
    style = Style("R", 9.4, 13, "0 0 0")
    lines = style.wrap(printable(text), room)
    assert "".join(lines).replace(" ", "") == style.font.known(printable(text)).replace(" ", "")
    assert all(style.width(line) <= room or len(line) == 1 for line in lines)


@given(st.binary(max_size=120))
def test_what_is_no_plain_picture_is_none(tail: bytes) -> None:
    assert read_png(tail) is None
    picture = read_png(png(3, 2, 9)[:33] + tail)
    assert picture is None or (picture.width, picture.height, picture.colours) == (3, 2, 3)


def test_the_page_has_pictures_of_what_changed_within_itself() -> None:
    page = render_html(CHANGED)
    assert page.count("data:image/png;base64,") == 2 and "http" not in page


# ---- the XML


def xml(document: bytes, under: ValidationPolicy) -> Any:  # noqa: ANN401 - lxml has no types
    facts, report = examine(document, under)
    return etree.fromstring(render_xml(report, facts, under))


def test_a_signature_is_named_by_its_value_and_what_it_is_over() -> None:
    document = sign(blank(), stamped=SIGNED)
    tree = xml(document, GOOD)
    (report,) = tree.findall("{*}SignatureValidationReport")
    assert report.findtext("{*}SignatureIdentifier/{*}DAIdentifier") == "Sig1"
    assert report.findtext("{*}ValidationTimeInfo/{*}BestSignatureTime/{*}POETime") == "2024-06-01T12:00:00Z"
    assert report.findtext(".//{*}SignatureValidationProcessID") == "urn:etsi:019102:validationprocess:LTVM"
    assert report.findtext(".//{*}Signer") == "Ana Popescu"
    assert len(report.findall(".//{*}CertificateChain/*")) == 3
    kinds = [element.text.rpartition(":")[2] for element in tree.findall(".//{*}ObjectType")]
    assert kinds == ["signedData", "timestamp", *["certificate"] * 4, "CRL", "CRL"]


def test_a_revocation_is_told_with_its_time_and_list() -> None:
    revoked = crl(SUB, (SIGNER, SIGNED.replace(month=5), x509.ReasonFlags.key_compromise))
    tree = xml(sign(blank(), stamped=SIGNED), policy(crl(ROOT), revoked))
    (told,) = tree.findall(".//{*}RevocationStatusInformation")
    assert told.findtext("{*}RevocationTime") == "2024-05-01T12:00:00Z"
    named = told.find("{*}RevocationObject").get("VOReference")
    (source,) = [each for each in tree.iter("{*}ValidationObject") if each.get("id") == named]
    assert source.findtext("{*}ObjectType").endswith(":CRL")


def test_an_algorithm_that_is_not_believed_is_named() -> None:
    tree = xml(sign(blank(), digest="sha1"), GOOD)
    (crypto,) = tree.findall(".//{*}CryptoInformation")
    assert crypto.findtext("{*}SecureAlgorithm") == "false"
    assert crypto.findtext("{*}Algorithm").endswith("ecdsa-sha1")
    assert crypto.findtext("{*}NotAfter") == "2012-08-01T00:00:00Z"


def test_a_document_without_signatures_says_so() -> None:
    tree = xml(blank(), GOOD)
    assert tree.findtext(".//{*}MainIndication") == vocabulary.NO_SIGNATURE


def test_a_trace_becomes_constraints() -> None:
    facts, report = examine(sign(blank()), GOOD)
    trace = (("Format Checking", "PASSED"), ("X.509 Certificate Validation", "INDETERMINATE/NO_POE"))
    report = replace(report, signatures=(replace(report.signatures[0], trace=trace),))
    tree = etree.fromstring(render_xml(report, facts, GOOD))
    told = {
        str(element.findtext("{*}ValidationConstraintIdentifier")).rpartition("constraint:")[2]: [
            str(each.text).rpartition(":")[2] for each in element.findall("{*}ValidationStatus/*")
        ]
        for element in tree.iter("{*}ValidationConstraint")
    }
    assert told["block:format-checking"] == ["passed"]
    assert told["block:x-509-certificate-validation"] == ["indeterminate", "NO_POE"]


@pytest.mark.parametrize(
    ("use", "name"),
    [
        (AlgorithmUse("x", "sha256"), "http://www.w3.org/2001/04/xmlenc#sha256"),
        (AlgorithmUse("x", "sha1", "rsa_pkcs1"), "http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
        (
            AlgorithmUse("x", "sha512", "rsa_pss"),
            "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1",
        ),
        (AlgorithmUse("x", "sha3_256", "ecdsa"), "http://www.w3.org/2021/04/xmldsig-more#ecdsa-sha3-256"),
        (AlgorithmUse("x", "", "unknown"), "urn:pecete:validation:algorithm:unknown-unknown"),
    ],
)
def test_names_of_algorithms(use: AlgorithmUse, name: str) -> None:
    assert vocabulary.algorithm(use) == name


@pytest.mark.parametrize(
    ("qualification", "name"),
    [
        ("QESig", "QESig"),
        ("AdESeal-QC", "AdESealQC"),
        ("Indeterminate QESig", "indeterminateQESig"),
        ("Not AdES but QC with QSCD", "notAdESbutQCwithQSCD"),
        ("N/A", "notApplicable"),
        ("AdES?-QC", "UnknownQC"),
        ("Indeterminate QES?", "indeterminateUnknownQCwithQSCD"),
    ],
)
def test_names_of_qualifications(qualification: str, name: str) -> None:
    assert vocabulary.quality(qualification) == "urn:cef:dss:signatureQualification:" + name


def test_the_json_tells_each_question_apart() -> None:
    facts, report = examine(sign(blank(), stamped=SIGNED), GOOD)
    told = json.loads(json.dumps(report.to_json()))["signatures"][0]
    assert {"identity", "time", "qualification", "findings", "trace", "visual_changes"} <= told.keys()
    assert told["signer_certificate"]["serial_number"] == f"{SIGNER.certificate.serial_number:X}"
    assert told["signer_certificate"]["issuer"] == "CN=Issuing"
    assert GOOD_NEWS.to_json()["signatures"] and EARLIER < TIME and facts.signatures
