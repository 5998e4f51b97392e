"""What the demo leaves in its folder, and how a stranger confirms it."""

import json
from dataclasses import dataclass
from pathlib import Path

import pikepdf
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pecete.archive.v1.archive_pb2 import RecordProof
from pecete.evidence.record_proof import RecordProofVerdict, verify_record_proof
from server.times import utc_now
from server.trial import ORIGIN
from signer.validation import ValidationPolicy, validate
from signer.validation.reports.page import render_html

ROOT = "root.pem"


@dataclass(frozen=True)
class ProofFiles:
    """Where a record's proof, the journal's public key and the trust anchor were written."""

    proof: Path
    journal_key: Path
    root: Path


def signed_path(folder: Path, source: Path) -> Path:
    """Give the file for the signed document."""
    return folder / f"{source.stem}-semnat.pdf"


def write_token(folder: Path, number: int, post: str, token: bytes) -> Path:
    """Write a signature's TimeStampToken, and beside it the signature value that it is over."""
    path = folder / f"marca-temporala-{number}-{post}.tst"
    path.write_bytes(token)
    return path


def write_report(folder: Path, report_json: str, document: Path, root: Path) -> None:
    """Write the service's verdicts as JSON, and a page for people of judging the file once more, offline."""
    report = json.dumps(json.loads(report_json), ensure_ascii=False, indent=2)
    (folder / "raport-validare.json").write_text(report + "\n", encoding="utf-8")
    anchor = x509.load_pem_x509_certificate(root.read_bytes()).public_bytes(Encoding.DER)
    policy = ValidationPolicy(anchors=(anchor,), time=utc_now(), revocation="off")
    page = render_html(validate(document, policy), "ro")
    (folder / "raport-validare.html").write_text(page, encoding="utf-8")


def write_proof(folder: Path, proof: RecordProof, root: Path) -> ProofFiles:
    """Write what an auditor needs: the proof, the journal's public key, and the trust anchor."""
    files = ProofFiles(
        proof=folder / "dovada.json",
        journal_key=folder / "jurnal.pub.pem",
        root=folder / ROOT,
    )
    files.proof.write_text(proof.proof_json, encoding="utf-8")
    files.journal_key.write_text(proof.journal_public_key, encoding="ascii")
    files.root.write_bytes(root.read_bytes())
    return files


def check_offline(files: ProofFiles, document: Path) -> RecordProofVerdict:
    """Check the record from files alone. Raises what does not hold."""
    root = x509.load_pem_x509_certificate(files.root.read_bytes()).public_bytes(Encoding.DER)
    return verify_record_proof(
        files.proof.read_bytes(),
        document,
        journal_key=files.journal_key.read_bytes(),
        origin=ORIGIN,
        trust=[root],
    )


def write_signatures(folder: Path, document: Path) -> None:
    """Take each signature out of the PDF for openssl: the CMS, the bytes it covers, the signature value."""
    data = document.read_bytes()
    with pikepdf.open(document) as pdf:
        fields = list(pdf.Root.AcroForm.Fields)
        values = [field.V for field in fields if pikepdf.Name.V in field]
        for number, value in enumerate(values, 1):
            first, length, second, rest = (int(offset) for offset in value.ByteRange)
            contents = bytes(value.Contents)
            signed = cms.ContentInfo.load(contents)
            stem = folder / f"semnatura-{number}"
            stem.with_suffix(".p7s").write_bytes(signed.dump())
            stem.with_suffix(".continut").write_bytes(data[first:length] + data[second : second + rest])
            signature = signed["content"]["signer_infos"][0]["signature"].native
            stem.with_suffix(".valoare").write_bytes(signature)


def instructions(folder: Path, source: Path) -> str:
    """Give the commands by which others confirm what was made."""
    signed = signed_path(folder, source)
    tokens = sorted(folder.glob("marca-temporala-*.tst"))
    lines = [f"[bold]Left in {folder}/[/bold], and how others confirm it:", ""]
    lines += [f"  pdfsig -nocert {signed}"]
    for number, token in enumerate(tokens, 1):
        stem = folder / f"semnatura-{number}"
        lines += [
            f"  openssl cms -verify -cades -inform DER -in {stem}.p7s -content {stem}.continut -binary"
            f" -CAfile {folder / ROOT} -purpose any -out /dev/null",
            f"  openssl ts -verify -token_in -in {token} -data {stem}.valoare -CAfile {folder / ROOT}",
        ]
    lines += [
        f"  .venv/bin/pecete-server validate --trust {folder / ROOT} --no-revocation {signed}",
        f"  .venv/bin/pecete verify-proof {folder / 'dovada.json'} --data {signed}"
        f" --key {folder / 'jurnal.pub.pem'} --origin {ORIGIN} --trust {folder / ROOT}",
        "",
        f"  {folder / 'raport-validare.html'}: the verdicts for people; raport-validare.json: for programs",
    ]
    return "\n".join(lines)
