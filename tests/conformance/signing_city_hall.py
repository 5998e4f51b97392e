"""A city hall that signs for outside judges: keys in SoftHSM, and a time-stamping authority of our own."""

import asyncio
import multiprocessing
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from signer.keys import SigningKey
from signer.material import ValidationMaterial
from signer.tokens import worker
from signer.tokens.configuration import RsaScheme, TokenConfiguration
from signer.tokens.inventory import SigningKeyInfo
from softhsm.pki import Holder
from softhsm.provision import TokenPlan, provision
from timestamping.authority import Authority, IssuedTimestamp
from timestamping.software_key import load_software_key

SIGNED = datetime(2025, 5, 5, 9, tzinfo=UTC)
LISTED = SIGNED + timedelta(hours=1)
ARCHIVED = SIGNED + timedelta(hours=2)
JUDGED = SIGNED + timedelta(days=1)

KEYS: Mapping[str, tuple[str, RsaScheme | None]] = {
    "RSA 2048, PKCS#1 v1.5": ("rsa2048", "pkcs1"),
    "RSA 3072, PKCS#1 v1.5": ("rsa3072", "pkcs1"),
    "RSA 3072, PSS": ("rsa3072", "pss"),
    "ECDSA P-256": ("p256", None),
    "ECDSA P-384": ("p384", None),
    "ECDSA P-521": ("p521", None),
    "Ed25519": ("ed25519", None),
}
"""Tokens by what is said of their keys, and what RSA keys sign with there."""

PLANS = (
    TokenPlan("rsa2048", "rsa2048", Holder("Primăria Comunei Lunca Teilor (TEST)")),
    TokenPlan("rsa3072", "rsa3072", Holder("Elena Dumitrescu", "Secretar general", "Elena", "Dumitrescu")),
    TokenPlan("p256", "p256", Holder("Ion-Matei Șerbănescu", "Primar", "Ion-Matei", "Șerbănescu")),
    TokenPlan("p384", "p384", Holder("Elena Țurcanu", "Contabil", "Elena", "Țurcanu")),
    TokenPlan("p521", "p521", Holder("Ana Țepeș", "Arhitect-șef", "Ana", "Țepeș")),
    TokenPlan("ed25519", "ed25519", Holder("Dan Hașdeu", "Administrator public", "Dan", "Hașdeu")),
)


class WorkerKey:
    """A `signer.keys.SigningKey` in the token that a worker process has open."""

    def __init__(self, workers: ProcessPoolExecutor, info: SigningKeyInfo) -> None:
        self._workers = workers
        self._id = info.id
        self.certificate = info.certificate
        self.chain = info.chain
        self.algorithm = info.algorithm

    def sign(self, data: bytes) -> bytes:
        return self._workers.submit(worker.sign, self._id, data, None).result()


@dataclass(frozen=True)
class FixedClock:
    """A clock that stands."""

    time: datetime
    description: str = "fixed"

    def now(self) -> datetime:
        return self.time


class CityHall:
    """Tokens with keys of every kind, a time-stamping authority, and what proves their certificates."""

    def __init__(self, folder: Path) -> None:
        self._tokens = provision(folder, PLANS, time=LISTED)
        certificates = folder / "time-stamping-chain.pem"
        certificates.write_bytes(
            self._tokens.timestamping_certificate.read_bytes() + self._tokens.intermediate.read_bytes()
        )
        self._stamping_key = load_software_key(self._tokens.timestamping_key, certificates)
        self.root = self._tokens.root
        self.anchor = self._tokens.pki.root.public_bytes(Encoding.DER)
        self.material = ValidationMaterial(
            (*self._tokens.pki.chain, self._stamping_key.certificate),
            tuple(path.read_bytes() for path in self._tokens.revocation_lists),
        )

    @contextmanager
    def keys(self) -> Iterator[Iterator[tuple[str, SigningKey]]]:
        """Give the keys in turn with their names; each signs until the next one is asked for."""
        with ProcessPoolExecutor(
            1,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_use_tokens,
            initargs=(dict(self._tokens.environment),),
        ) as workers:
            yield ((name, self._key(workers, *token)) for name, token in KEYS.items())

    def stamp(self, digest: bytes, time: datetime) -> bytes:
        """A TimeStampToken (DER) over a SHA-256."""
        authority = Authority(
            self._stamping_key,
            clock=FixedClock(time),
            record=_keep_nothing,
            policies=("1.3.6.1.4.1.99999.1.1",),
            accuracy=timedelta(seconds=1),
            time=time,
        )
        return asyncio.run(authority.stamp("sha256", digest, client="test", request_id=""))

    def _key(self, workers: ProcessPoolExecutor, label: str, scheme: RsaScheme | None) -> WorkerKey:
        configuration = replace(self._tokens.token_configuration(label, with_pin=True), rsa_scheme=scheme)
        workers.submit(_open_token, configuration).result()
        (info,) = workers.submit(worker.look).result().keys
        return WorkerKey(workers, info)


def _use_tokens(environment: Mapping[str, str]) -> None:
    os.environ.update(environment)


def _open_token(configuration: TokenConfiguration) -> None:
    worker.open_token(configuration, clock=lambda: SIGNED)


async def _keep_nothing(issued: IssuedTimestamp) -> None:
    """What an authority does that needs no journal."""
