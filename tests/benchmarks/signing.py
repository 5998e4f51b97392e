"""CPU of a signature through gRPC, beside pyHanko's own signing in process, same file and same token.

The figure of the service is all CPU of its process and its workers, for the whole call: TLS, identity, the
section, the token, the check of the signature, the durable object, the row, the journal. That of pyHanko is
its signing alone, in this process, with nothing kept.
"""

import asyncio
import io
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pikepdf
import psutil
from asn1crypto import x509
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko_certvalidator.registry import SimpleCertificateStore

from server.trial import Settings, Trial, TrialServer, make_trial, running_server
from signer.tokens import worker
from softhsm.provision import CITY_HALL

SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "adeverinta.pdf"
SIZE = 50_000
LABEL = "primar"
WARM_UP, COUNT = 10, 100
ROUNDS = 3


class TokenSigner(signers.Signer):
    """pyHanko's signer over a key of our token, so that both pay the same for the token."""

    def __init__(self, trial: Trial, certificate: x509.Certificate) -> None:
        store = SimpleCertificateStore()
        for der in trial.provisioned.token(LABEL).chain:
            store.register(x509.Certificate.load(der))
        super().__init__(signing_cert=certificate, cert_registry=store)
        self._sha256 = sha256(certificate.dump()).hexdigest()

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
        """Sign with the token."""
        return bytes(72) if dry_run else worker.sign(self._sha256, data, None)


def document() -> bytes:
    """Give a certificate padded to 50 KB by a stream that no page shows."""
    with pikepdf.open(SAMPLE) as pdf:
        for name in (pikepdf.Name.StructTreeRoot, pikepdf.Name.MarkInfo, pikepdf.Name.Metadata):
            if name in pdf.Root:
                del pdf.Root[name]
        out = io.BytesIO()
        pdf.save(out)
        if len(out.getvalue()) < SIZE:
            pdf.docinfo["/Padding"] = pikepdf.String("x" * (SIZE - len(out.getvalue())))
            out = io.BytesIO()
            pdf.save(out)
    return out.getvalue()


def pyhanko_cpu_ms(trial: Trial, pdf: bytes) -> float:
    """Median CPU milliseconds of a signature by pyHanko in this process."""
    certificate = x509.Certificate.load(trial.provisioned.token(LABEL).certificate)
    signer = TokenSigner(trial, certificate)
    metadata = signers.PdfSignatureMetadata(
        field_name="Signature1", md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES
    )

    async def sign() -> None:
        writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
        await signers.PdfSigner(metadata, signer).async_sign_pdf(writer)

    async def measure() -> list[float]:
        times = []
        for number in range(WARM_UP + COUNT):
            start = time.process_time()
            await sign()
            if number >= WARM_UP:
                times.append(1000 * (time.process_time() - start))
        return times

    return statistics.median(asyncio.run(measure()))


def service_cpu_ms(server: TrialServer, pdf: bytes) -> float:
    """Mean CPU milliseconds of the server and its workers for a SignDocument call at B-B."""
    trial = server.trial
    with server.client("registratura") as department:
        name = department.upload(pdf).name
    with server.client(LABEL) as signer:

        def sign() -> None:
            signer.sign(name, trial.signing_key(LABEL), level="B-B", pin=trial.pin(LABEL))

        for _ in range(WARM_UP):
            sign()
        before = _cpu_seconds(server.process.pid)
        for _ in range(COUNT):
            sign()
        return 1000 * (_cpu_seconds(server.process.pid) - before) / COUNT


def _cpu_seconds(pid: int) -> float:
    process = psutil.Process(pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


@contextmanager
def _trial() -> Iterator[Trial]:
    with tempfile.TemporaryDirectory(prefix="pecete-benchmark-") as folder:
        yield make_trial(Path(folder), Settings(plans=CITY_HALL[:1]))


def run() -> dict[str, object]:
    """Measure both in turn and give the ratio of the medians."""
    pdf = document()
    with _trial() as trial:
        os.environ.update(trial.provisioned.environment)
        worker.open_token(trial.provisioned.token_configuration(LABEL, with_pin=True))
        with running_server(trial, trial.directory / "server.log") as server:
            pairs = [(service_cpu_ms(server, pdf), pyhanko_cpu_ms(trial, pdf)) for _ in range(ROUNDS)]
    service, pyhanko = (statistics.median(side) for side in zip(*pairs, strict=True))
    return {
        "benchmark": "SignDocument, P-256 in SoftHSM, B-B, through gRPC",
        "document_bytes": len(pdf),
        "service_cpu_ms": round(service, 2),
        "pyhanko_cpu_ms": round(pyhanko, 2),
        "ratio": round(service / pyhanko, 3),
        "goal_ratio": 1.0,
        "reached": service < pyhanko,
    }
