"""A signing key as the wire carries it: what it is, what it declares, how its token is, what to heed."""

from datetime import datetime

from cryptography import x509

from pecete.errors import InvalidArgumentError, PeceteError
from pecete.signing.v1 import signing_pb2 as pb
from server.times import timestamp_of
from server.token_registry import RegisteredKey
from signer.algorithms import SignatureAlgorithm
from signer.key_notices import KeyNotice, days_left, key_notices
from signer.qc_statements import qc_statements

_QC_TYPES = {"esign": pb.QC_TYPE_ESIGN, "eseal": pb.QC_TYPE_ESEAL, "web": pb.QC_TYPE_WEB}

_PIN_TRIES = {"low": pb.PIN_TRIES_LOW, "one": pb.PIN_TRIES_ONE, "none": pb.PIN_TRIES_NONE}


def algorithm_code(algorithm: SignatureAlgorithm) -> pb.SignatureAlgorithm.ValueType:
    """Give a signature algorithm as the wire names it."""
    return pb.SignatureAlgorithm.Value(f"SIGNATURE_ALGORITHM_{algorithm.name}".upper())


def key_message(key: RegisteredKey, now: datetime) -> pb.SigningKey:
    """Give a key as its message, with what is to be said of it now."""
    info = key.info
    certificate = x509.load_der_x509_certificate(info.certificate)
    notices = key_notices(certificate, info.algorithm, info.key_bits, now)
    return pb.SigningKey(
        name=key.name,
        display_name=info.common_name,
        certificate=info.certificate,
        chain=info.chain,
        algorithm=algorithm_code(info.algorithm),
        key_bits=info.key_bits,
        not_before_time=timestamp_of(info.not_before),
        not_after_time=timestamp_of(info.not_after),
        token=key.token.name,
        pin_required=key.token.pin is None,
        days_left=days_left(info.not_after, now),
        qc_statements=_statements_message(certificate),
        token_state=_token_state(key.fault),
        token_fault=key.fault.reason if key.fault else "",
        notices=[_notice_message(notice) for notice in notices],
        pin_tries=_PIN_TRIES.get(key.tries_left, pb.PIN_TRIES_UNSPECIFIED),
        replicas=key.replicas,
    )


def _statements_message(certificate: x509.Certificate) -> pb.QcStatements:
    """Give what is declared; statements that cannot be read declare nothing, and a notice says so."""
    try:
        statements = qc_statements(certificate)
    except InvalidArgumentError:
        return pb.QcStatements()
    return pb.QcStatements(
        compliance=statements.compliance,
        sscd=statements.sscd,
        types=[_QC_TYPES[each] for each in statements.types],
        legislation_countries=statements.legislation_countries,
    )


def _token_state(fault: PeceteError | None) -> "pb.TokenState.ValueType":
    if fault is None:
        return pb.TOKEN_STATE_READY
    if fault.field == "pin":
        return pb.TOKEN_STATE_PIN_REFUSED
    return pb.TOKEN_STATE_UNAVAILABLE


def _notice_message(notice: KeyNotice) -> pb.SigningKeyNotice:
    kind = pb.SigningKeyNotice
    return kind(
        reason=notice.reason,
        message=notice.message,
        severity=kind.SEVERITY_REFUSAL if notice.refused else kind.SEVERITY_WARNING,
        effective_time=timestamp_of(notice.time) if notice.time else None,
    )
