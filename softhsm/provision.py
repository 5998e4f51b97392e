"""Makes SoftHSM tokens with keys and certificates of a test PKI, for tests, the demo and benchmarks.

A test HSM only: SoftHSM keeps its keys in files, and anyone can make an authority like this one.
"""

import multiprocessing
import os
import secrets
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
)

from pecete.errors import AlreadyExistsError, FailedPreconditionError
from signer.tokens.configuration import TokenConfiguration
from signer.tokens.provision import KeyKind, initialise_token, writable_token
from softhsm.pki import HOLDER_LIFE, Holder, HolderKey, TestPki

MODULE_PATHS = (
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib64/pkcs11/libsofthsm2.so"),
    Path("/opt/homebrew/lib/softhsm/libsofthsm2.so"),
)
"""Where distributions put SoftHSM's module."""


@dataclass(frozen=True)
class TokenPlan:
    """One token to make, with one key in it and a certificate for signatures or for time-stamps."""

    label: str
    kind: KeyKind
    holder: Holder
    timestamping: bool = False
    life: timedelta = HOLDER_LIFE


CITY_HALL = (
    TokenPlan("primar", "p256", Holder("Ion-Matei Șerbănescu", "Primar", "Ion-Matei", "Șerbănescu")),
    TokenPlan(
        "secretar-general", "rsa3072", Holder("Elena Dumitrescu", "Secretar general", "Elena", "Dumitrescu")
    ),
    TokenPlan("contabil", "p384", Holder("Elena Țurcanu", "Contabil", "Elena", "Țurcanu")),
    TokenPlan("sigiliu", "rsa2048", Holder("Primăria Comunei Lunca Teilor (TEST)")),
)
"""The city hall of the demo: three officials, and the seal."""

TIMESTAMPING_HOLDER = Holder("TEST Marcă temporală Pecete")


@dataclass(frozen=True)
class ProvisionedToken:
    """A token that was made: its plan, PINs, and its certificate with the chain above it (DER)."""

    plan: TokenPlan
    pin: str = field(repr=False)
    so_pin: str = field(repr=False)
    certificate: bytes = field(repr=False)
    chain: tuple[bytes, ...] = field(repr=False)

    @property
    def label(self) -> str:
        """The token's label."""
        return self.plan.label


@dataclass(frozen=True)
class Provisioned:
    """What `provision` left in a folder: certificates and a key in PEM, revocation lists in DER."""

    module: Path
    configuration: Path
    tokens: tuple[ProvisionedToken, ...]
    pki: TestPki
    root: Path
    intermediate: Path
    revocation_lists: tuple[Path, ...]
    timestamping_certificate: Path
    timestamping_key: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables under which a process sees these tokens."""
        return environment_of(self.configuration)

    def token(self, label: str) -> ProvisionedToken:
        """Give a token by its label. Raises KeyError."""
        return {each.label: each for each in self.tokens}[label]

    def token_configuration(self, label: str, *, with_pin: bool) -> TokenConfiguration:
        """Give what opens a token; without PIN it comes with each call."""
        pin = self.token(label).pin if with_pin else None
        return TokenConfiguration(name=label, module=str(self.module), token_label=label, pin=pin)


def find_module(environ: Mapping[str, str] = os.environ) -> Path:
    """Give SoftHSM's module: PECETE_PKCS11_MODULE, or where distributions put it.

    Raises FailedPreconditionError SOFTHSM_NOT_FOUND.
    """
    named = environ.get("PECETE_PKCS11_MODULE")
    for path in (Path(named),) if named else MODULE_PATHS:
        if path.is_file():
            return path
    raise FailedPreconditionError(
        "SOFTHSM_NOT_FOUND", "No SoftHSM: install the package softhsm2 or set PECETE_PKCS11_MODULE."
    )


def provision(
    directory: Path,
    plans: Sequence[TokenPlan] = CITY_HALL,
    *,
    module: Path | None = None,
    pki: TestPki | None = None,
    time: datetime | None = None,
) -> Provisioned:
    """Make tokens, certificates, revocation lists (issued at `time`) and a time-stamping key in `directory`.

    The folder is made for its owner alone. PINs are random. The tokens are made in a process of their own, so
    that this one is not bound to them. Raises FailedPreconditionError SOFTHSM_NOT_FOUND, AlreadyExistsError
    TOKENS_EXIST when the folder has tokens already.
    """
    module = module or find_module()
    pki = pki or TestPki()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    configuration = _write_configuration(directory.resolve())
    with token_maker(environment_of(configuration)) as maker:
        tokens = tuple(make_token(maker, module, plan, pki) for plan in plans)
    timestamping_key = ec.generate_private_key(ec.SECP256R1())
    timestamping = pki.issue_timestamping(TIMESTAMPING_HOLDER, timestamping_key.public_key())
    root_list, intermediate_list = pki.revocation_lists(time or datetime.now(UTC))
    private = timestamping_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Provisioned(
        module=module,
        configuration=configuration,
        tokens=tokens,
        pki=pki,
        root=_write(directory / "root.pem", pki.root.public_bytes(Encoding.PEM)),
        intermediate=_write(directory / "intermediate.pem", pki.intermediate.public_bytes(Encoding.PEM)),
        revocation_lists=(
            _write(directory / "root.crl", root_list),
            _write(directory / "intermediate.crl", intermediate_list),
        ),
        timestamping_certificate=_write(directory / "tsa.pem", timestamping.public_bytes(Encoding.PEM)),
        timestamping_key=_write(directory / "tsa-key.pem", private),
    )


def environment_of(configuration: Path) -> dict[str, str]:
    """Give the variables under which a process sees the tokens of a SoftHSM configuration."""
    return {"SOFTHSM2_CONF": str(configuration)}


def token_maker(environment: Mapping[str, str]) -> ProcessPoolExecutor:
    """Give a process in which `make_token` works, with these variables; this one stays without the module."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, mp_context=context, initializer=_use, initargs=(environment,))


def make_token(
    maker: ProcessPoolExecutor, module: Path, plan: TokenPlan, pki: TestPki, *, factory_so_pin: str = ""
) -> ProvisionedToken:
    """Make the planned token of a blank slot, with random PINs. Raises as `initialise_token`."""
    pin, so_pin = random_pin(), random_pin()
    make = partial(initialise_token, factory_so_pin=factory_so_pin)
    maker.submit(make, str(module), plan.label, so_pin, pin).result()
    return fill_token(maker, module, plan, pki, pin=pin, so_pin=so_pin)


def fill_token(
    maker: ProcessPoolExecutor, module: Path, plan: TokenPlan, pki: TestPki, *, pin: str, so_pin: str
) -> ProvisionedToken:
    """Make the planned key and its certificate in a token that is initialised. Raises as `writable_token`."""
    configuration = TokenConfiguration(plan.label, str(module), plan.label, pin=pin)
    public_key = maker.submit(_generate, configuration, plan).result()
    return certify_key(maker, configuration, plan, pki, public_key, so_pin=so_pin)


def certify_key(
    maker: ProcessPoolExecutor,
    configuration: TokenConfiguration,
    plan: TokenPlan,
    pki: TestPki,
    public_key: bytes,
    *,
    so_pin: str,
) -> ProvisionedToken:
    """Issue the planned certificate for a key (SubjectPublicKeyInfo) in a token, and store it beside it.

    Raises as `writable_token`.
    """
    issue = pki.issue_timestamping if plan.timestamping else pki.issue_signer
    issued = issue(plan.holder, cast("HolderKey", load_der_public_key(public_key)), life=plan.life)
    certificate = issued.public_bytes(Encoding.DER)
    maker.submit(_import, configuration, certificate, pki.chain).result()
    return ProvisionedToken(plan, configuration.pin or "", so_pin, certificate, pki.chain)


def random_pin() -> str:
    """Give a PIN of eight digits, which every provider takes."""
    return f"{secrets.randbelow(10**8):08}"


def _write(path: Path, octets: bytes) -> Path:
    """Write a file that only its owner can read, as all of this folder."""
    with open(path, "xb", opener=partial(os.open, mode=0o600)) as file:
        file.write(octets)
    return path


def _write_configuration(directory: Path) -> Path:
    tokens = directory / "tokens"
    try:
        tokens.mkdir(mode=0o700)
    except FileExistsError as error:
        raise AlreadyExistsError("TOKENS_EXIST", "This folder has tokens already.") from error
    configuration = directory / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n", encoding="utf-8"
    )
    return configuration


def _use(environment: Mapping[str, str]) -> None:
    os.environ.update(environment)


def _generate(configuration: TokenConfiguration, plan: TokenPlan) -> bytes:
    with writable_token(configuration) as token:
        return token.generate_key(plan.kind, plan.holder.common_name).public_key


def _import(configuration: TokenConfiguration, certificate: bytes, chain: tuple[bytes, ...]) -> None:
    with writable_token(configuration) as token:
        token.import_certificate(certificate, chain)
