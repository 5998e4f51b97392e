"""Fifty threads sign with one token through gRPC while its processes are killed three times.

`python -m tests.benchmarks.chaos [SIGNATURES]`, 20,000 by default. Every signature is then read from the
store and verified without the service's code: digest over the ByteRange, message-digest, signature value. The
journal must tell of each once. Prints one JSON object; 1 when anything is wrong, twice or lost.
"""

import hashlib
import io
import json
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pikepdf
from asn1crypto import cms
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from pecete.client import Client
from server.trial import DEPARTMENT, SEAL, Settings, TrialServer, make_trial, running_server
from softhsm.pki import Holder
from softhsm.provision import TokenPlan
from tests.e2e.observation import journal, object_path, workers

SIGNATURES, THREADS, WORKERS = 20_000, 50, 2
KILLS = (0.25, 0.5, 0.75)
"""Parts of the work after which every worker process of the server is killed."""

_BYTE_RANGE = re.compile(rb"/ByteRange ?\[ ?(\d+) (\d+) (\d+) (\d+) ?\]")
_REASON = re.compile(rb"Semnatura (\d+)\b")


class Crowd:
    """The callers: each takes the next number, signs once under a request id of its own, and goes on."""

    def __init__(self, server: TrialServer, document: str, signatures: int) -> None:
        self._server = server
        self._document = document
        self._numbers = iter(range(signatures))
        self._kills = [int(part * signatures) for part in KILLS]
        self._lock = threading.Lock()
        self.digests: dict[int, bytes] = {}
        self.killed = 0

    def run(self) -> None:
        """Sign until nothing is left."""
        with ThreadPoolExecutor(THREADS) as pool:
            for caller in [pool.submit(self._call) for _ in range(THREADS)]:
                caller.result()

    def _call(self) -> None:
        with self._server.client(DEPARTMENT) as client:
            while (number := self._next()) is not None:
                digest = self._sign(client, number)
                with self._lock:
                    self.digests[number] = digest
                    if len(self.digests) in self._kills:
                        self._kill()

    def _next(self) -> int | None:
        with self._lock:
            return next(self._numbers, None)

    def _sign(self, client: Client, number: int) -> bytes:
        made = client.sign(
            self._document,
            self._server.trial.signing_key(SEAL),
            level="B-B",
            reason=f"Semnatura {number}",
            request_id=f"chaos-{number}",
        )
        return made.document.sha256

    def _kill(self) -> None:
        for worker in workers(self._server):
            worker.kill()
            self.killed += 1


def document() -> bytes:
    """Give a PDF of one empty page."""
    out = io.BytesIO()
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.save(out)
    return out.getvalue()


def fault(file: Path, number: int, certificate: bytes) -> str:
    """Say what is wrong with a signed document, "" when nothing is."""
    octets = file.read_bytes()
    ranges = _BYTE_RANGE.findall(octets)
    if len(ranges) != 1:
        return f"{len(ranges)} signatures"
    first, length, second, rest = map(int, ranges[0])
    if first != 0 or second + rest != len(octets) or _REASON.findall(octets) != [b"%d" % number]:
        return "not the whole document, or another's"
    der = bytes.fromhex(octets[length + 1 : second - 1].decode("ascii"))
    (signer,) = cms.ContentInfo.load(der)["content"]["signer_infos"]
    digest = hashlib.sha256(octets[:length] + octets[second:]).digest()
    stated = {each["type"].native: each["values"][0].native for each in signer["signed_attrs"]}
    if stated["message_digest"] != digest:
        return "another digest"
    key = x509.load_der_x509_certificate(certificate).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return "another kind of key"
    try:
        key.verify(signer["signature"].native, signer["signed_attrs"].untag().dump(), ec.ECDSA(SHA256()))
    except InvalidSignature:
        return "a wrong signature"
    return ""


def run(signatures: int = SIGNATURES) -> dict[str, object]:
    """Sign, kill, verify, and give what came of it."""
    plan = TokenPlan(SEAL, "p256", Holder("Primăria Comunei Lunca Teilor (TEST)"))
    with tempfile.TemporaryDirectory(prefix="pecete-chaos-") as folder:
        trial = make_trial(Path(folder), Settings(plans=(plan,), workers=WORKERS))
        with running_server(trial, trial.directory / "server.log") as server:
            with server.client(DEPARTMENT) as client:
                name = client.upload(document()).name
            crowd = Crowd(server, name, signatures)
            start = time.monotonic()
            crowd.run()
            seconds = time.monotonic() - start
        told = Counter(each.request_id for each in journal(trial) if each.act == "signature.create")
        certificate = trial.provisioned.token(SEAL).certificate
        files = [object_path(trial, crowd.digests[number]) for number in range(signatures)]
        with ProcessPoolExecutor() as pool:
            found = list(pool.map(fault, files, range(signatures), [certificate] * signatures, chunksize=200))
    wrong = Counter(each for each in found if each)
    return {
        "benchmark": "50 threads on one token, P-256 in SoftHSM, B-B, through gRPC, workers killed 3 times",
        "signatures": len(crowd.digests),
        "verified": found.count(""),
        "wrong": dict(wrong),
        "lost": signatures - len(told),
        "twice": sum(count > 1 for count in told.values()) + signatures - len(set(crowd.digests.values())),
        "workers_killed": crowd.killed,
        "seconds": round(seconds, 1),
        "signatures_per_second": round(signatures / seconds, 1),
        "reached": found.count("") == signatures and set(told.values()) == {1} and len(told) == signatures,
    }


def main() -> int:
    """Run with the count that is given and print."""
    result = run(int(sys.argv[1]) if len(sys.argv) > 1 else SIGNATURES)
    sys.stdout.write(json.dumps(result) + "\n")
    return 0 if result["reached"] else 1


if __name__ == "__main__":
    sys.exit(main())
