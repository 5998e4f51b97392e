"""Outside judges of signatures, and what each says of a file."""

import asyncio
import io
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pikepdf
from asn1crypto import cms as asn1_cms
from asn1crypto import x509 as asn1_x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko.sign.validation.generic_cms import async_validate_cms_signature, async_validate_detached_cms
from pyhanko.sign.validation.status import PdfSignatureStatus, StandardCMSSignatureStatus
from pyhanko_certvalidator import ValidationContext

from tests.conformance import dss
from tests.conformance.signature_files import PADES, SIGNED_MEMBERS, SignedFile
from tests.conformance.signing_city_hall import JUDGED, CityHall

UNABLE = {("DSS", "Ed25519"), ("pdfsig", "Ed25519"), ("openssl cms", "Ed25519")}
"""Judges that pass no signature of a key, whatever it is over: TS 119 312 or their code does not have it."""

STAMPS = {"B-B": 0, "B-T": 1, "B-LT": 1, "B-LTA": 2}
"""How many time-stamps a signature of a level has here."""

_CRYPTO_CONSTRAINTS = ("CRYPTO_CONSTRAINTS_FAILURE", "CRYPTO_CONSTRAINTS_FAILURE_NO_POE")
_NO_ED25519 = "eddsa_digest_signverify_init:invalid digest"
"""What OpenSSL says where CMS asks it for Ed25519 over a digest, which Ed25519 does not do."""


@dataclass(frozen=True)
class Verdict:
    """What a judge said of a file, and whether it passed it."""

    passed: bool
    words: str


Verdicts = Iterator[tuple[SignedFile, Verdict]]


@dataclass(frozen=True)
class Judge:
    """A judge: why it is not to be had on this machine (or ""), its version, and its verdicts."""

    absence: Callable[[], str]
    version: Callable[[], str]
    verdicts: Callable[[CityHall, Sequence[SignedFile]], Verdicts]


def ask_dss(hall: CityHall, files: Sequence[SignedFile], *, policy: bytes = b"") -> Verdicts:
    """The level that a file reached, with all its time-stamps, and the indication of EN 319 102-1."""
    pairs = [(file.path, file.content) for file in files]
    said = dss.judge(pairs, anchor=hall.anchor, crls=hall.material.crls, time=JUDGED, policy=policy)
    for file in files:
        yield file, _dss_verdict(said[file.path], file)


def _dss_verdict(said: Mapping[str, Any], file: SignedFile) -> Verdict:
    (signature,) = said["signatures"]
    level, indication = signature["format"], signature["indication"]
    standard = "PAdES" if file.form == PADES else "CAdES"
    wanted = f"{standard}-BASELINE-{file.level.removeprefix('B-')}"
    stamps = [stamp["indication"] for stamp in said["timestamps"]]
    passed = (level, indication, stamps) == (wanted, "TOTAL_PASSED", ["PASSED"] * STAMPS[file.level])
    because = signature["subIndication"]
    words = f"{level} {indication}" + (f" {because}" if because else "")
    if because in _CRYPTO_CONSTRAINTS:
        words += (
            ", value right" if signature["signatureIntact"] and signature["trustedChain"] else ", value wrong"
        )
    return Verdict(passed, words)


def ask_pdfsig(hall: CityHall, files: Sequence[SignedFile]) -> Verdicts:
    """What is said of the signature, which comes before document time-stamps; certificates are not judged."""
    for file in files:
        if file.form == PADES:
            answer = _run("pdfsig", "-nocert", file.path)
            words = re.findall(r"- Signature Validation: (.*?)\.?$", answer.stdout, re.MULTILINE)[0]
            yield file, Verdict(words == "Signature is Valid", words)


def ask_openssl(hall: CityHall, files: Sequence[SignedFile]) -> Verdicts:
    """Whether `openssl cms -verify -cades` verifies the CMS signature with its content and certificates."""
    for file in files:
        cms, content = file.path.with_suffix(".cms"), file.path.with_suffix(".content")
        octets, apart = cms_and_content(file)
        cms.write_bytes(octets)
        content.write_bytes(apart or b"")
        answer = _run(
            *("openssl", "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", cms),
            *(("-content", content) if apart is not None else ()),
            *("-CAfile", hall.root, "-purpose", "any", "-attime", str(int(JUDGED.timestamp()))),
            *("-out", "/dev/null"),
        )
        passed = answer.returncode == 0
        words = "verified" if passed else "not verified"
        yield file, Verdict(passed, "Ed25519 not possible" if _NO_ED25519 in answer.stderr else words)


def ask_pyhanko(hall: CityHall, files: Sequence[SignedFile]) -> Verdicts:
    """Whether it trusts signature and time-stamp, and what it says of later revisions of a PDF."""
    for file in files:
        context = ValidationContext(
            trust_roots=[asn1_x509.Certificate.load(hall.anchor)],
            crls=hall.material.crls,
            revocation_mode="require",
            allow_fetching=False,
            moment=JUDGED,
        )
        status = asyncio.run(_pyhanko_status(file, context))
        yield file, Verdict(status.bottom_line, _pyhanko_words(status))


async def _pyhanko_status(file: SignedFile, context: ValidationContext) -> StandardCMSSignatureStatus:
    if file.form == PADES:
        found = PdfFileReader(io.BytesIO(file.path.read_bytes())).embedded_regular_signatures
        return await async_validate_pdf_signature(found[0], context, context)
    cms, content = cms_and_content(file)
    signed_data = asn1_cms.ContentInfo.load(cms, strict=True)["content"]
    if content is None:
        return await async_validate_cms_signature(
            signed_data, status_cls=StandardCMSSignatureStatus, validation_context=context
        )
    return await async_validate_detached_cms(content, signed_data, context, context)


def _pyhanko_words(status: StandardCMSSignatureStatus) -> str:
    words = ["trusted" if status.intact and status.trusted else "not trusted"]
    if stamp := status.timestamp_validity:
        words.append("time-stamp trusted" if stamp.intact and stamp.trusted else "time-stamp not trusted")
    later = status.modification_level if isinstance(status, PdfSignatureStatus) else None
    if later not in (None, ModificationLevel.NONE):
        words.append(f"later {later.name}")
    return ", ".join(words)


def cms_and_content(file: SignedFile) -> tuple[bytes, bytes | None]:
    """The CMS signature of a file, zeros may follow, and the content where that is not inside of it."""
    whole = file.path.read_bytes()
    if file.form == PADES:
        with pikepdf.open(file.path) as pdf:
            value = pdf.Root.AcroForm.Fields[0].V
            _, start, end, rest = (int(number) for number in value.ByteRange)
            return bytes(value.Contents), whole[:start] + whole[end : end + rest]
    if file.form in SIGNED_MEMBERS:
        with zipfile.ZipFile(file.path) as container:
            (cms,) = (name for name in container.namelist() if name.endswith(".p7s"))
            return container.read(cms), container.read(SIGNED_MEMBERS[file.form][0])
    return whole, file.content.read_bytes() if file.content else None


def _missing(program: str) -> Callable[[], str]:
    return lambda: "" if shutil.which(program) else f"no {program} on this machine"


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _pdfsig_version() -> str:
    return _run("pdfsig", "-v").stderr.split()[2]


def _openssl_version() -> str:
    return _run("openssl", "version").stdout.split()[1]


JUDGES: Mapping[str, Judge] = {
    "DSS": Judge(dss.absence, dss.version, ask_dss),
    "pdfsig": Judge(_missing("pdfsig"), _pdfsig_version, ask_pdfsig),
    "openssl cms": Judge(_missing("openssl"), _openssl_version, ask_openssl),
    "pyHanko": Judge(lambda: "", lambda: metadata.version("pyhanko"), ask_pyhanko),
}
