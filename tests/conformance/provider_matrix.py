"""The providers of the matrix: each is started once, or has a reason why it cannot be."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from pecete.errors import FailedPreconditionError
from server.trial import Settings, Trial, make_trial
from signer.tokens.provision import KeyKind
from softhsm import kryoptic, opencryptoki, piv, tpm
from softhsm.piv import CardReaders
from softhsm.provider import SPARE, Provider, plans
from tests.conformance.provider_page import Measured

SOFTHSM = "SoftHSM"
CARDS = "virtual cards"
KINDS: dict[str, tuple[KeyKind, ...]] = {
    SOFTHSM: ("rsa2048", "rsa3072", "p256", "p384", "ed25519"),
    kryoptic.NAME: kryoptic.KINDS,
    opencryptoki.NAME: opencryptoki.KINDS,
    tpm.NAME: tpm.KINDS,
    piv.OPENSC: piv.KINDS,
    piv.YKCS11: tuple(kind for kind in piv.KINDS if kind != "rsa3072"),
}
"""Every provider, and the kinds of keys that it has."""

CARD_PROVIDERS = (piv.OPENSC, piv.YKCS11)
WITHOUT_ED25519 = tuple(name for name in KINDS if name != SOFTHSM and name not in CARD_PROVIDERS)
"""Providers in whose tokens we make keys, but none of Ed25519."""

SERVER_KINDS: dict[str, tuple[KeyKind, ...]] = {
    **KINDS,
    piv.OPENSC: ("rsa2048", "rsa3072"),
    piv.YKCS11: ("p256", "p384"),
}
"""What the server signs with; each card through one middleware, and both middlewares at once."""

SIGNER = "p256"
"""Principal that may sign with every token but SoftHSM's, where each token has one of its own."""

_SECTION = """
[[tokens]]
name = "{name}"
module = "{module}"
token_label = "{label}"
timeout_seconds = 10
allowed = ["principals/{signer}"]
"""

Made = TypeVar("Made")


class Matrix:
    """What runs, why the rest does not, a city hall that trusts all of it, and what was measured so far."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.measured = Measured()
        self.running: dict[str, Provider] = {}
        self._readers: CardReaders | None = None
        self._reasons: dict[str, str] = {}

    def provider(self, name: str) -> Provider:
        """Give a provider, or skip the test and say why."""
        if name not in self.running:
            pytest.skip(f"{name}: {self._reasons[name]}")
        return self.running[name]

    def readers(self) -> CardReaders:
        """Give the readers of the virtual cards, or skip the test and say why."""
        if self._readers is None:
            pytest.skip(f"{CARDS}: {self._reasons[CARDS]}")
        return self._readers

    def wrong_pins(self, name: str) -> int | None:
        """Give how often the spare token was given a wrong PIN; None where only the token knows."""
        return self.readers().spare.card.wrong_pins if name in CARD_PROVIDERS else None

    def card_signatures(self, kind: KeyKind) -> int:
        """Give how often the card with a key of this kind has signed; 0 where there is none."""
        cards = self._readers.cards if self._readers else ()
        return sum(each.card.signatures for each in cards if each.plan.kind == kind)

    def start(self, folder: Path, stack: ExitStack) -> None:
        """Start what this machine can; it runs until the stack is closed."""
        pki = self.trial.provisioned.pki

        def attempt(name: str, make: Callable[[], Made]) -> Made | None:
            try:
                return make()
            except FailedPreconditionError as error:
                self._reasons[name] = error.message
                return None

        def enter(manager: AbstractContextManager[Made]) -> Callable[[], Made]:
            return lambda: stack.enter_context(manager)

        self._readers = readers = attempt(CARDS, enter(piv.card_readers(folder / "piv", pki)))
        makers: dict[str, Callable[[], Provider]] = {
            SOFTHSM: self._softhsm,
            kryoptic.NAME: enter(kryoptic.kryoptic(folder / "kryoptic", pki)),
            opencryptoki.NAME: enter(opencryptoki.opencryptoki(folder / "opencryptoki", pki)),
            tpm.NAME: enter(tpm.tpm(folder / "tpm", pki)),
        }
        if readers is None:
            self._reasons |= dict.fromkeys(CARD_PROVIDERS, self._reasons[CARDS])
        else:
            makers |= {piv.OPENSC: readers.opensc, piv.YKCS11: readers.ykcs11}
        for name, make in makers.items():
            if (provider := attempt(name, make)) is not None:
                self.running[name] = provider
        self._configure_server()

    def _configure_server(self) -> None:
        """Add the tokens to the city hall's own, which are SoftHSM's."""
        tokens = {
            (provider.module, token.label): f"{name} {token.label}"
            for name, provider in self.running.items()
            for token in provider.tokens
            if name != SOFTHSM and token.plan.kind in SERVER_KINDS[name]
        }
        with self.trial.configuration.open("a", encoding="utf-8") as file:
            for (module, label), name in tokens.items():
                file.write(_SECTION.format(name=name, module=module, label=label, signer=SIGNER))

    def _softhsm(self) -> Provider:
        made = self.trial.provisioned
        tokens = tuple(made.token(kind) for kind in KINDS[SOFTHSM])
        return Provider(SOFTHSM, made.module, made.environment, tokens, made.token(SPARE.label))


@contextmanager
def running_matrix(folder: Path) -> Iterator[Matrix]:
    """Start what can be started; inside the block this process's environment shows every token."""
    trial = make_trial(folder / "trial", Settings(plans=(*plans(KINDS[SOFTHSM]), SPARE)))
    matrix = Matrix(trial)
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        matrix.start(folder, stack)
        for provider in matrix.running.values():
            for name, value in provider.environment.items():
                patch.setenv(name, value)
        yield matrix
