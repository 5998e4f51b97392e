"""Our token code against every PKCS#11 provider that the machine runs; docs/providers.md has the outcome."""

import hashlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from pecete.errors import PeceteError
from signer.algorithms import SignatureAlgorithm
from signer.tokens import worker
from signer.tokens.configuration import RsaScheme
from signer.tokens.inventory import SigningKeyInfo
from signer.tokens.provision import KeyKind
from softhsm import piv
from softhsm.piv_card import PIN_TRIES
from softhsm.provider import Provider
from softhsm.provision import ProvisionedToken
from tests.conformance.provider_matrix import CARD_PROVIDERS, KINDS, WITHOUT_ED25519, Matrix
from tests.conformance.provider_page import (
    KEYS,
    LOSSES,
    MEASURED,
    PAGE,
    PINS,
    differences,
    other_versions,
    read_page,
    render_page,
)
from tests.conformance.provider_work import look_inside, make_key, sign_all, workers

pytestmark = [pytest.mark.conformance, pytest.mark.hsm]

DATA = b"dispozitia nr. 12"
DIGESTS = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384()}
KEY_CASES = [(name, kind) for name, kinds in KINDS.items() for kind in kinds]
MOST_WRONG_PINS = 4


def key_id(token: ProvisionedToken) -> str:
    return hashlib.sha256(token.certificate).hexdigest()


def listed(pool: ProcessPoolExecutor, provider: Provider, token: ProvisionedToken) -> SigningKeyInfo:
    """List the keys of a token, which are those that were put into it, and give the one that is meant."""
    found = {info.id: info for info in pool.submit(worker.look).result().keys}
    assert set(found) == {key_id(each) for each in provider.tokens if each.label == token.label}
    return found[key_id(token)]


def verify(token: ProvisionedToken, algorithm: SignatureAlgorithm, signature: bytes, message: bytes) -> None:
    """Verify with the certificate and without our own code. Raises InvalidSignature."""
    key = x509.load_der_x509_certificate(token.certificate).public_key()
    if isinstance(key, ed25519.Ed25519PublicKey):
        assert algorithm.scheme == "ed25519"
        key.verify(signature, message)
        return
    digest = DIGESTS[algorithm.digest]
    if isinstance(key, ec.EllipticCurvePublicKey):
        assert algorithm.scheme == "ecdsa"
        key.verify(signature, message, ec.ECDSA(digest))
        return
    assert isinstance(key, rsa.RSAPublicKey)
    is_pss = algorithm.scheme == "rsa_pss"
    padded = padding.PSS(padding.MGF1(digest), digest.digest_size) if is_pss else padding.PKCS1v15()
    key.verify(signature, message, padded, digest)


def wrong_pin(token: ProvisionedToken) -> str:
    return f"{(int(token.pin) + 1) % 10**8:08}"


def told(error: PeceteError) -> str:
    """What a caller is told of a PIN: the reason, and the tries that are left where the token says so."""
    return ", ".join((error.reason, *error.metadata.values()))


def refusal(pool: ProcessPoolExecutor, token: ProvisionedToken, pin: str | None) -> PeceteError:
    """Sign, and give the error that came of it."""
    with pytest.raises(PeceteError) as caught:
        pool.submit(worker.sign, key_id(token), DATA, pin).result()
    return caught.value


@pytest.mark.parametrize(("name", "kind"), KEY_CASES)
def test_a_key_is_found_by_its_certificate_and_signs(matrix: Matrix, name: str, kind: KeyKind) -> None:
    provider = matrix.provider(name)
    token = provider.token(kind)
    schemes: tuple[RsaScheme | None, ...] = ("pkcs1", "pss") if kind.startswith("rsa") else (None,)
    for scheme in schemes:
        configuration = replace(provider.configuration(token, with_pin=True), rsa_scheme=scheme)
        with workers(configuration) as other:
            facts = other.submit(look_inside, configuration, key_id(token)).result()
        with workers(configuration) as pool:
            info = listed(pool, provider, token)
            signature = pool.submit(worker.sign, info.id, DATA, None).result()
        verify(token, info.algorithm, signature, DATA)
        matrix.measured.versions[name] = provider.version or facts.version
        asks = "yes" if facts.asks_each_time else "no"
        matrix.measured.add(KEYS, name, kind, info.algorithm.name, facts.mechanism, asks)


@pytest.mark.parametrize("name", WITHOUT_ED25519)
def test_a_token_without_ed25519_says_so(matrix: Matrix, name: str) -> None:
    provider = matrix.provider(name)
    configuration = provider.configuration(provider.token("rsa2048"), with_pin=True)
    with workers(configuration) as pool, pytest.raises(PeceteError) as refused:
        pool.submit(make_key, configuration, "ed25519").result()
    assert refused.value.reason == "TOKEN_MECHANISM_MISSING"


@pytest.mark.parametrize("with_pin", [True, False], ids=["configured", "with the call"])
@pytest.mark.parametrize("name", KINDS)
def test_many_messages_are_signed_with_one_hold_of_a_key(matrix: Matrix, name: str, with_pin: bool) -> None:
    provider = matrix.provider(name)
    token = provider.token("rsa2048")
    messages = [f"dispozitia nr. {number}".encode() for number in range(10)]
    with workers(provider.configuration(token, with_pin=with_pin)) as pool:
        info = listed(pool, provider, token)
        pin = None if with_pin else token.pin
        signatures = pool.submit(sign_all, info.id, messages, pin).result()
    assert len(signatures) == len(messages)
    for message, signature in zip(messages, signatures, strict=True):
        verify(token, info.algorithm, signature, message)


def test_ykcs11_lists_a_key_that_it_cannot_use(matrix: Matrix) -> None:
    provider = matrix.provider(piv.YKCS11)
    token = provider.token("rsa3072")
    with workers(provider.configuration(token, with_pin=True)) as pool:
        listed(pool, provider, token)
        refused = refusal(pool, token, None)
    matrix.measured.add(KEYS, piv.YKCS11, "rsa3072", "none", f"signs nothing: {refused.reason}", "yes")


@pytest.mark.parametrize("name", CARD_PROVIDERS)
def test_a_card_that_is_pulled_and_put_back_signs_again(matrix: Matrix, name: str) -> None:
    provider, card = matrix.provider(name), matrix.readers().card("p256")
    token = provider.token("p256")
    with workers(provider.configuration(token, with_pin=True)) as pool:
        info = listed(pool, provider, token)
        verify(token, info.algorithm, pool.submit(worker.sign, info.id, DATA, None).result(), DATA)
        card.slot.remove()
        try:
            gone = refusal(pool, token, None)
        finally:
            card.slot.insert()
        signature = pool.submit(worker.sign, info.id, DATA, None).result()
        verify(token, info.algorithm, signature, DATA)
    assert card.card.tries_left == PIN_TRIES
    matrix.measured.add(LOSSES, name, "the card is pulled", gone.reason, "signs")


@pytest.mark.parametrize("name", KINDS)
def test_a_wrong_configured_pin_is_tried_once_by_all_workers(matrix: Matrix, name: str) -> None:
    provider = matrix.provider(name)
    token = provider.spare
    wrong = replace(provider.configuration(token, with_pin=True), pin=wrong_pin(token))
    before = matrix.wrong_pins(name)
    with workers(wrong, count=2) as pool:
        calls = [pool.submit(worker.sign, key_id(token), DATA, None) for _ in range(4)]
        reasons = [error.reason for call in calls if isinstance(error := call.exception(), PeceteError)]
    assert reasons == ["PIN_INCORRECT"] * 4
    assert matrix.wrong_pins(name) == (None if before is None else before + 1)
    with workers(provider.configuration(token, with_pin=False)) as pool:
        pool.submit(worker.sign, key_id(token), DATA, token.pin).result()


@pytest.mark.parametrize("name", KINDS)
def test_each_pin_that_comes_with_a_call_is_one_try(matrix: Matrix, name: str) -> None:
    """Spends the tries of a token, so it is the last but one."""
    provider = matrix.provider(name)
    token = provider.spare
    provider.unlock()
    with workers(provider.configuration(token, with_pin=False)) as pool:
        answers = []
        for number in range(1, MOST_WRONG_PINS + 1):
            before = matrix.wrong_pins(name)
            answers.append(told(refusal(pool, token, wrong_pin(token))))
            assert matrix.wrong_pins(name) == (None if before is None else before + (number <= PIN_TRIES))
        done = pool.submit(worker.sign, key_id(token), DATA, token.pin)
        error = done.exception()
        answers.append(told(error) if isinstance(error, PeceteError) else "signs")
        assert error is None or answers[-1].startswith("PIN_LOCKED")
    matrix.measured.add(PINS, name, *answers)


@pytest.mark.parametrize("name", CARD_PROVIDERS)
def test_a_locked_pin_is_left_alone_until_it_is_unlocked(matrix: Matrix, name: str) -> None:
    provider, card = matrix.provider(name), matrix.readers().spare.card
    token = provider.spare
    card.tries_left = 0
    with workers(provider.configuration(token, with_pin=False)) as pool:
        before = card.pins_seen
        assert refusal(pool, token, token.pin).reason == "PIN_LOCKED"
        assert card.pins_seen == before
        provider.unlock()
        pool.submit(worker.sign, key_id(token), DATA, token.pin).result()


def test_the_page_says_what_was_measured(matrix: Matrix) -> None:
    measured, stated = matrix.measured, read_page(PAGE)
    MEASURED.parent.mkdir(exist_ok=True)
    MEASURED.write_text(render_page({**stated, **measured.rows}, tuple(KINDS)), encoding="utf-8")
    others = other_versions(measured, stated)
    is_compared = {name for name in measured.versions if name not in others}
    found = differences(
        {place: rows for place, rows in measured.rows.items() if place[1] in is_compared},
        {place: rows for place, rows in stated.items() if place[1] in is_compared},
    )
    assert found == [], f"{PAGE} differs from {MEASURED}, which was measured now"
    if others:
        pytest.skip(f"docs/providers.md was measured with other versions: {others}")
