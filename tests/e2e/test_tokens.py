"""Keys in real SoftHSM tokens, driven as the server drives them: from spawned worker processes."""

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from pecete.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    PeceteError,
    UnavailableError,
)
from signer.algorithms import SignatureAlgorithm, verify
from signer.tokens import worker
from signer.tokens.configuration import TokenConfiguration
from signer.tokens.inventory import SigningKeyInfo
from signer.tokens.pin_guard import PinGuard
from softhsm.pki import Holder
from softhsm.provision import CITY_HALL, Provisioned, TokenPlan, provision

pytestmark = pytest.mark.e2e

DATA = b"dispozitia nr. 12"
WRONG_PIN = "not-the-pin"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TIMESTAMPING = TokenPlan("tsa", "p256", Holder("Marcă temporală"), timestamping=True)

LOOK_INSIDE = """
import json, sys
from pkcs11 import Attribute, ObjectClass
from signer.tokens.module import load
module, label, pin = sys.argv[1:]
token = load(module).get_token(token_label=label)
flags = int(token.flags)
facts = {}
if pin:
    with token.open(user_pin=pin) as session:
        key, = session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY})
        facts = {name: key[Attribute[name]] for name in ("EXTRACTABLE", "SENSITIVE", "PRIVATE", "DECRYPT")}
print(json.dumps({"flags": flags, **facts}))
"""
"""Looks into a token from a process of its own."""

STORE = """
import sys
from pkcs11 import Attribute, CertificateType, ObjectClass
from signer.tokens.module import load
module, label, pin = sys.argv[1:]
der = sys.stdin.buffer.read()
with load(module).get_token(token_label=label).open(rw=True, user_pin=pin) as session:
    key, = session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY})
    session.create_object({
        Attribute.CLASS: ObjectClass.CERTIFICATE, Attribute.CERTIFICATE_TYPE: CertificateType.X_509,
        Attribute.TOKEN: True, Attribute.PRIVATE: False, Attribute.SUBJECT: b"0\\x00", Attribute.VALUE: der,
        Attribute.ID: key[Attribute.ID],
    })
"""
"""Stores a certificate under the CKA_ID of a token's only key."""

THREADS = """
import hashlib, sys
from concurrent.futures import ThreadPoolExecutor
from pkcs11 import Attribute, Mechanism, ObjectClass
from signer.tokens.module import load
module, label, pin = sys.argv[1:]
token = load(module).get_token(token_label=label)
owner = token.open(user_pin=pin)
(public,) = owner.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY})
def sign(thread):
    session = token.open()
    (key,) = session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY})
    digests = [hashlib.sha256(b"%d %d" % (thread, i)).digest() for i in range(100)]
    return [(d, key.sign(d, mechanism=Mechanism.ECDSA)) for d in digests]
with ThreadPoolExecutor(4) as pool:
    made = [pair for pairs in pool.map(sign, range(4)) for pair in pairs]
print(sum(public.verify(d, s, mechanism=Mechanism.ECDSA) for d, s in made))
"""
"""Four threads sign at once with one module."""

FORK = """
import os, sys
from pecete.errors import InternalError
from signer.tokens.module import load
load(sys.argv[1])
child = os.fork()
if child == 0:
    try:
        load(sys.argv[1])
    except InternalError as error:
        os.write(1, error.reason.encode())
    os._exit(0)
os.waitpid(child, 0)
load(sys.argv[1])
"""
"""A process forks after it has loaded a module."""


def at(time: datetime) -> partial[datetime]:
    """Give a clock that stands still and can be pickled."""
    return partial(datetime.fromtimestamp, time.timestamp(), UTC)


@pytest.fixture(scope="module")
def hsm(tmp_path_factory: pytest.TempPathFactory) -> Provisioned:
    return provision(tmp_path_factory.mktemp("softhsm") / "hsm", (*CITY_HALL, TIMESTAMPING), time=NOON)


@contextmanager
def workers(
    hsm: Provisioned,
    configuration: TokenConfiguration,
    *,
    time: datetime = NOON,
    count: int = 1,
    guard: PinGuard | None = None,
) -> Iterator[ProcessPoolExecutor]:
    """Start worker processes that see the tokens of `hsm`."""
    with (
        pytest.MonkeyPatch.context() as patch,
        ProcessPoolExecutor(
            count,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=worker.open_token,
            initargs=(configuration, guard, at(time)),
        ) as pool,
    ):
        for name, value in hsm.environment.items():
            patch.setenv(name, value)
        yield pool


def only_key(pool: ProcessPoolExecutor) -> SigningKeyInfo:
    (info,) = pool.submit(worker.look).result().keys
    return info


def sign(pool: ProcessPoolExecutor, key: SigningKeyInfo | str, pin: str | None = None) -> bytes:
    key_id = key if isinstance(key, str) else key.id
    return pool.submit(worker.sign, key_id, DATA, pin).result()


def check(info: SigningKeyInfo, signature: bytes) -> None:
    verify(info.algorithm, x509.load_der_x509_certificate(info.certificate).public_key(), signature, DATA)


def refusal(
    kind: type[PeceteError], pool: ProcessPoolExecutor, act: Callable[..., object], *arguments: object
) -> PeceteError:
    with pytest.raises(kind) as caught:
        pool.submit(act, *arguments).result()
    return caught.value


def ask(hsm: Provisioned, script: str, label: str, pin: str, given: bytes = b"") -> str:
    command = [sys.executable, "-c", script, str(hsm.module), label, pin]
    environment = {**os.environ, **hsm.environment}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, input=given)
    return done.stdout.decode()


def pin_count_is_low(hsm: Provisioned, label: str) -> bool:
    return bool(json.loads(ask(hsm, LOOK_INSIDE, label, ""))["flags"] & 0x10000)


def reset_pin_count(hsm: Provisioned, label: str) -> None:
    ask(hsm, LOOK_INSIDE, label, hsm.token(label).pin)
    assert not pin_count_is_low(hsm, label)


@pytest.mark.parametrize(
    ("label", "algorithm", "bits", "name"),
    [
        ("primar", SignatureAlgorithm("ecdsa", "sha256"), 256, "Ion-Matei Șerbănescu"),
        ("contabil", SignatureAlgorithm("ecdsa", "sha384"), 384, "Elena Țurcanu"),
        ("secretar-general", SignatureAlgorithm("rsa_pss", "sha256"), 3072, "Elena Dumitrescu"),
        ("sigiliu", SignatureAlgorithm("rsa_pkcs1", "sha256"), 2048, "Primăria Comunei Lunca Teilor (TEST)"),
    ],
)
def test_every_kind_of_key_is_listed_by_its_certificate_and_signs(
    hsm: Provisioned, label: str, algorithm: SignatureAlgorithm, bits: int, name: str
) -> None:
    with workers(hsm, hsm.token_configuration(label, with_pin=True)) as pool:
        info = only_key(pool)
        check(info, sign(pool, info))
    made = hsm.token(label)
    assert info.certificate == made.certificate
    assert info.chain == (hsm.pki.intermediate.public_bytes(Encoding.DER),)
    assert (info.algorithm, info.key_bits, info.common_name) == (algorithm, bits, name)
    assert (info.token_label, info.purpose) == (label, "signature")


def test_rsa_scheme_can_be_configured(hsm: Provisioned) -> None:
    configuration = replace(hsm.token_configuration("sigiliu", with_pin=True), rsa_scheme="pss")
    with workers(hsm, configuration) as pool:
        info = only_key(pool)
        check(info, sign(pool, info))
    assert info.algorithm == SignatureAlgorithm("rsa_pss", "sha256")


def test_keys_cannot_leave_the_token(hsm: Provisioned) -> None:
    for label in ("primar", "sigiliu"):
        facts = json.loads(ask(hsm, LOOK_INSIDE, label, hsm.token(label).pin))
        assert (facts["EXTRACTABLE"], facts["SENSITIVE"], facts["PRIVATE"], facts["DECRYPT"]) == (
            False,
            True,
            True,
            False,
        )


def test_a_time_stamping_key_is_told_from_the_others(hsm: Provisioned) -> None:
    with workers(hsm, hsm.token_configuration("tsa", with_pin=True)) as pool:
        info = only_key(pool)
        check(info, sign(pool, info))
    assert info.certificate == hsm.token("tsa").certificate
    assert info.purpose == "timestamp"


def test_the_pin_comes_with_each_call_where_none_is_configured(hsm: Provisioned) -> None:
    pin = hsm.token("primar").pin
    with workers(hsm, hsm.token_configuration("primar", with_pin=False)) as pool:
        info = only_key(pool)
        missing = refusal(InvalidArgumentError, pool, worker.sign, info.id, DATA, None)
        assert (missing.reason, missing.field) == ("PIN_REQUIRED", "pin")
        check(info, sign(pool, info, pin))
        # The right PIN before does not open the door for a wrong one after.
        wrong = refusal(FailedPreconditionError, pool, worker.sign, info.id, DATA, WRONG_PIN)
        assert (wrong.reason, wrong.field) == ("PIN_INCORRECT", "pin")
        assert wrong.metadata == {"tries_left": "low"}
        assert WRONG_PIN not in str(wrong)
        check(info, sign(pool, info, pin))


def test_a_wrong_configured_pin_reaches_the_token_once_whatever_the_workers(hsm: Provisioned) -> None:
    guard = PinGuard()
    right = hsm.token_configuration("contabil", with_pin=True)
    with (
        workers(hsm, replace(right, pin=WRONG_PIN), count=2, guard=guard) as pool,
        workers(hsm, right) as other,
    ):
        first = refusal(FailedPreconditionError, pool, worker.probe)
        assert (first.reason, first.metadata) == ("PIN_INCORRECT", {"tries_left": "low"})
        assert guard.refused
        assert pin_count_is_low(hsm, "contabil")
        info = only_key(other)
        check(info, sign(other, info))
        assert not pin_count_is_low(hsm, "contabil")
        asked = [pool.submit(worker.sign, info.id, DATA, None) for _ in range(6)]
        for each in asked:
            assert isinstance(each.exception(), FailedPreconditionError)
        assert not pin_count_is_low(hsm, "contabil")
    with workers(hsm, replace(right, pin=WRONG_PIN), guard=guard) as started_anew:
        assert refusal(FailedPreconditionError, started_anew, worker.probe).reason == "PIN_INCORRECT"
    assert not pin_count_is_low(hsm, "contabil")


def test_a_wrong_configured_pin_does_not_hide_the_keys(hsm: Provisioned) -> None:
    configuration = replace(hsm.token_configuration("primar", with_pin=True), pin=WRONG_PIN)
    with workers(hsm, configuration) as pool:
        refusal(FailedPreconditionError, pool, worker.probe)
        assert only_key(pool).common_name == "Ion-Matei Șerbănescu"


def test_an_unknown_key_is_not_found(hsm: Provisioned) -> None:
    with workers(hsm, hsm.token_configuration("primar", with_pin=True)) as pool:
        error = refusal(NotFoundError, pool, worker.sign, "00" * 32, DATA, None)
    assert (error.reason, error.field) == ("SIGNING_KEY_NOT_FOUND", "signing_key")


@pytest.mark.parametrize(
    ("time", "label", "reason"),
    [
        (datetime(2023, 12, 31, tzinfo=UTC), "primar", "CERTIFICATE_NOT_YET_VALID"),
        (datetime(2060, 1, 1, tzinfo=UTC), "primar", "CERTIFICATE_EXPIRED"),
        (datetime(2029, 1, 1, tzinfo=UTC), "sigiliu", "ALGORITHM_NOT_RELIABLE"),
    ],
)
def test_a_certificate_out_of_its_time_is_refused_before_the_pin_is_used(
    hsm: Provisioned, time: datetime, label: str, reason: str
) -> None:
    reset_pin_count(hsm, label)
    with workers(hsm, hsm.token_configuration(label, with_pin=False), time=time) as pool:
        info = only_key(pool)
        error = refusal(FailedPreconditionError, pool, worker.sign, info.id, DATA, WRONG_PIN)
    assert (error.reason, error.field) == (reason, "signing_key")
    assert not pin_count_is_low(hsm, label)


@pytest.mark.parametrize("fault", ["of another key", "for authentication"])
def test_a_certificate_that_its_key_may_not_sign_with_is_no_key(tmp_path: Path, fault: str) -> None:
    hsm = provision(tmp_path / "hsm", CITY_HALL[:1], time=NOON)
    own = x509.load_der_x509_certificate(hsm.token("primar").certificate)
    stranger = ec.generate_private_key(ec.SECP256R1())
    is_own = fault == "for authentication"
    usage = x509.KeyUsage(is_own, not is_own, False, False, False, False, False, False, False)
    wrong = (
        x509.CertificateBuilder(own.issuer, own.subject, serial_number=7)
        .public_key(own.public_key() if is_own else stranger.public_key())
        .not_valid_before(own.not_valid_before_utc)
        .not_valid_after(own.not_valid_after_utc)
        .add_extension(usage, critical=True)
        .sign(stranger, SHA256())
    )
    der = wrong.public_bytes(Encoding.DER)
    ask(hsm, STORE, "primar", hsm.token("primar").pin, der)
    with workers(hsm, hsm.token_configuration("primar", with_pin=False)) as pool:
        assert only_key(pool).certificate == hsm.token("primar").certificate
        error = refusal(NotFoundError, pool, worker.sign, sha256(der).hexdigest(), DATA, WRONG_PIN)
        assert error.reason == "SIGNING_KEY_NOT_FOUND"
    assert not pin_count_is_low(hsm, "primar")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"token_label": "nobody"}, "TOKEN_NOT_PRESENT"),
        ({"token_serial": "0000"}, "TOKEN_NOT_PRESENT"),
        ({"module": "/nonexistent/module.so"}, "TOKEN_MODULE_NOT_LOADED"),
    ],
)
def test_a_token_that_is_not_there_is_unavailable(
    hsm: Provisioned, change: dict[str, str], reason: str
) -> None:
    configuration = replace(hsm.token_configuration("primar", with_pin=True), **change)  # type: ignore[arg-type]
    with workers(hsm, configuration) as pool:
        assert refusal(UnavailableError, pool, worker.look).reason == reason
        assert refusal(UnavailableError, pool, worker.probe).reason == reason


@pytest.mark.parametrize("with_pin", [True, False], ids=["configured PIN", "PIN with each call"])
def test_a_token_that_vanishes_comes_back_and_another_in_its_place_is_not_taken_for_it(
    tmp_path: Path, with_pin: bool
) -> None:
    ours = provision(tmp_path / "ours", CITY_HALL[:1], time=NOON)
    theirs = provision(tmp_path / "theirs", CITY_HALL[:1], time=NOON)
    (slot,) = (tmp_path / "ours" / "tokens").iterdir()
    (foreign,) = (tmp_path / "theirs" / "tokens").iterdir()
    away = tmp_path / "away"
    pin = None if with_pin else ours.token("primar").pin
    with workers(ours, ours.token_configuration("primar", with_pin=with_pin)) as pool:
        info = only_key(pool)
        check(info, sign(pool, info, pin))
        slot.rename(away)
        for _ in range(2):
            gone = refusal(UnavailableError, pool, worker.sign, info.id, DATA, pin)
            assert (gone.reason, gone.field) == ("TOKEN_NOT_PRESENT", "signing_key")
        assert refusal(UnavailableError, pool, worker.look).reason == "TOKEN_NOT_PRESENT"
        foreign.rename(slot)
        replaced = refusal(UnavailableError, pool, worker.sign, info.id, DATA, pin)
        assert replaced.reason == "TOKEN_NOT_PRESENT"
        assert only_key(pool).certificate == theirs.token("primar").certificate
        slot.rename(foreign)
        away.rename(slot)
        check(info, sign(pool, info, pin))
    assert not pin_count_is_low(theirs, "primar")


def test_a_module_signs_rightly_from_many_threads(hsm: Provisioned) -> None:
    assert ask(hsm, THREADS, "primar", hsm.token("primar").pin).strip() == "400"


def test_a_module_is_refused_after_a_fork(hsm: Provisioned) -> None:
    assert ask(hsm, FORK, "", "") == "TOKEN_MODULE_FORKED"


def test_the_test_authority_is_one_that_openssl_believes(hsm: Provisioned, tmp_path: Path) -> None:
    leaf = tmp_path / "leaf.pem"
    certificate = x509.load_der_x509_certificate(hsm.token("primar").certificate)
    leaf.write_bytes(certificate.public_bytes(Encoding.PEM))
    lists = tmp_path / "crls.pem"
    lists.write_bytes(
        b"".join(
            x509.load_der_x509_crl(each.read_bytes()).public_bytes(Encoding.PEM)
            for each in hsm.revocation_lists
        )
    )
    command = ["openssl", "verify", "-x509_strict", "-attime", str(int(NOON.timestamp()) + 60)]
    command += ["-crl_check_all", "-CRLfile", str(lists), "-CAfile", str(hsm.root)]
    command += ["-untrusted", str(hsm.intermediate)]
    for file, purpose in ((leaf, []), (hsm.timestamping_certificate, ["-purpose", "timestampsign"])):
        done = subprocess.run([*command, *purpose, str(file)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_folder_is_its_owners_alone(hsm: Provisioned) -> None:
    folder = hsm.configuration.parent
    assert folder.stat().st_mode & 0o077 == 0
    assert hsm.timestamping_key.stat().st_mode & 0o077 == 0


def test_no_pin_is_printed(hsm: Provisioned) -> None:
    token = hsm.token("primar")
    shown = repr(hsm) + repr(token) + repr(hsm.token_configuration("primar", with_pin=True))
    assert token.pin not in shown
    assert token.so_pin not in shown


def test_tokens_are_never_made_over_others(hsm: Provisioned) -> None:
    with pytest.raises(AlreadyExistsError, match="TOKENS_EXIST"):
        provision(hsm.configuration.parent, CITY_HALL[:1], time=NOON)
