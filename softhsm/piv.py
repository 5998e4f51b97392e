"""Virtual PIV cards in virtual readers behind a real pcscd, seen through OpenSC and through ykcs11."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from signer.tokens.provision import KeyKind
from softhsm.isolation import require_isolation
from softhsm.piv_card import (
    ANSWER_TO_RESET,
    AUTHENTICATION,
    DIGITAL_SIGNATURE,
    CardContent,
    CardKey,
    PivCard,
)
from softhsm.pki import TestPki
from softhsm.provider import SPARE, Provider, daemon, plans, require_files
from softhsm.provision import ProvisionedToken, TokenPlan, random_pin
from softhsm.virtual_reader import ReaderSlot

OPENSC = "OpenSC"
YKCS11 = "ykcs11"
KINDS: tuple[KeyKind, ...] = ("rsa2048", "rsa3072", "p256", "p384")

_LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
_OPENSC_MODULE = _LIBRARIES / "opensc-pkcs11.so"
_YKCS11_MODULE = _LIBRARIES / "libykcs11.so.2"
_PCSCD = Path("/usr/sbin/pcscd")
_SOCKET_FOLDER = Path("/run/pcscd")
_DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
_FIRST_PORT = 35963
_FIRST_SERIAL = 10_000_001

_READER = """\
FRIENDLYNAME "{name}"
DEVICENAME /dev/null:{port}
LIBPATH {driver}
CHANNELID {port}
"""
"""ykcs11 looks only at readers whose name has Yubico in it."""


_OPENSC_CONFIGURATION = "app opensc-pkcs11 { pkcs11 { max_virtual_slots = 64; } }\n"
"""By itself OpenSC shows four slots for each slot of a reader, and sixteen in all."""


@dataclass(frozen=True)
class InsertedCard:
    """A card, the slot that it can be pulled from, and the token that middlewares make of it."""

    plan: TokenPlan
    content: CardContent
    card: PivCard
    slot: ReaderSlot
    chain: tuple[bytes, ...]

    def token(self, label: str) -> ProvisionedToken:
        """Give the card as the token that a middleware shows under a label."""
        certificate = self.content.certificates[DIGITAL_SIGNATURE]
        plan = TokenPlan(label, self.plan.kind, self.plan.holder)
        return ProvisionedToken(plan, self.content.pin, "", certificate, self.chain)


@dataclass(frozen=True)
class CardReaders:
    """Readers with a card in each: one for each kind of key, and one whose PIN may be spent."""

    cards: tuple[InsertedCard, ...]
    spare: InsertedCard
    opensc_configuration: Path

    def card(self, kind: KeyKind) -> InsertedCard:
        """Give the card with a key of this kind. Raises KeyError."""
        return {each.plan.kind: each for each in self.cards}[kind]

    def opensc(self) -> Provider:
        """Give the cards as OpenSC shows them. Raises FailedPreconditionError PROVIDER_NOT_AVAILABLE."""
        require_files("opensc", _OPENSC_MODULE)
        # OpenSC calls a PIV card by the common name in its certificate.
        environment = {"OPENSC_CONF": str(self.opensc_configuration)}
        return self._provider(OPENSC, _OPENSC_MODULE, environment, lambda card: card.plan.holder.common_name)

    def ykcs11(self) -> Provider:
        """Give the cards as ykcs11 shows them. Raises FailedPreconditionError PROVIDER_NOT_AVAILABLE."""
        require_files("ykcs11", _YKCS11_MODULE)
        return self._provider(YKCS11, _YKCS11_MODULE, {}, lambda card: f"YubiKey PIV #{card.content.serial}")

    def _provider(
        self,
        name: str,
        module: Path,
        environment: Mapping[str, str],
        label: Callable[[InsertedCard], str],
    ) -> Provider:
        tokens = tuple(card.token(label(card)) for card in self.cards)
        spare = self.spare.token(label(self.spare))
        return Provider(name, module, environment, tokens, spare, self.spare.card.unlock)


@contextmanager
def card_readers(folder: Path, pki: TestPki) -> Iterator[CardReaders]:
    """Start pcscd with a card in each of its readers, and stop it at the end of the block.

    Raises FailedPreconditionError PROVIDER_NOT_AVAILABLE, UnavailableError PROVIDER_FAILED.
    """
    require_files("pcscd", _PCSCD)
    require_files("vsmartcard-vpcd", _DRIVER)
    require_isolation()
    _SOCKET_FOLDER.mkdir()
    folder.mkdir()
    log = folder / "pcscd.log"
    cards = tuple(_make_card(number, plan, pki, log) for number, plan in enumerate((*plans(KINDS), SPARE)))
    readers = folder / "readers.conf"
    readers.write_text("".join(_reader(folder, number) for number in range(len(cards))), encoding="utf-8")
    opensc = folder / "opensc.conf"
    opensc.write_text(_OPENSC_CONFIGURATION, encoding="ascii")
    command = (_PCSCD, "--foreground", "--info", "--config", readers)
    with daemon(command, log, (_SOCKET_FOLDER / "pcscd.comm").exists, os.environ):
        for card in cards:
            card.slot.insert()
        try:
            yield CardReaders(cards[:-1], cards[-1], opensc)
        finally:
            for card in cards:
                card.slot.remove()


def _make_card(number: int, plan: TokenPlan, pki: TestPki, log: Path) -> InsertedCard:
    signature_key, authentication_key = _make_key(plan.kind), _make_key("p256")
    content = CardContent(
        serial=_FIRST_SERIAL + number,
        pin=random_pin(),
        keys={AUTHENTICATION: authentication_key, DIGITAL_SIGNATURE: signature_key},
        certificates={
            AUTHENTICATION: _der(pki.issue_authentication(plan.holder, authentication_key.public_key())),
            DIGITAL_SIGNATURE: _der(pki.issue_signer(plan.holder, signature_key.public_key())),
        },
    )
    card = PivCard(content)
    slot = ReaderSlot(_name(number), _port(number), log, card, ANSWER_TO_RESET)
    return InsertedCard(plan, content, card, slot, pki.chain)


def _make_key(kind: KeyKind) -> CardKey:
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind.removeprefix("rsa")))
    return ec.generate_private_key({"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}[kind])


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _name(number: int) -> str:
    return f"Yubico YubiKey Virtual {number}"


def _port(number: int) -> int:
    """Give a reader's port; each takes two, for the driver has two slots."""
    return _FIRST_PORT + 2 * number


def _reader(folder: Path, number: int) -> str:
    """Describe a reader. The driver keeps its slots in global variables, so each reader has a copy of it."""
    driver = Path(shutil.copy(_DRIVER, folder / f"vpcd-{number}.so"))
    return _READER.format(name=_name(number), port=_port(number), driver=driver)
