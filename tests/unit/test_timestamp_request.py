"""Reading TimeStampReq: what a real encoder writes is read alike, everything else is refused with its bit."""

import hashlib

import pytest
from asn1crypto import core, tsp
from hypothesis import example, given
from hypothesis import strategies as st

from timestamping.der import element, integer, object_identifier
from timestamping.refusals import FailureInfo, RefusalError
from timestamping.request import DIGEST_LENGTHS, parse_time_stamp_req, write_time_stamp_req

DIGEST = hashlib.sha256(b"hello").digest()
SHA256 = object_identifier("2.16.840.1.101.3.4.2.1")


def imprint(identifier: bytes = SHA256, digest: bytes = DIGEST, parameters: bytes = b"") -> bytes:
    return element(0x30, element(0x30, identifier, parameters), element(0x04, digest))


def request(*parts: bytes, version: bytes = b"\x02\x01\x01") -> bytes:
    return element(0x30, version, *parts)


@given(
    name=st.sampled_from(sorted(DIGEST_LENGTHS)),
    nonce=st.none() | st.integers(-(1 << 256), 1 << 256),
    policy=st.none() | st.sampled_from(["1.2.3", "2.999.1", "1.3.6.1.4.1.57264.2"]),
    cert_req=st.booleans(),
    seed=st.binary(max_size=8),
)
def test_reads_what_another_encoder_writes(
    name: str, nonce: int | None, policy: str | None, cert_req: bool, seed: bytes
) -> None:
    digest = hashlib.new(name, seed).digest()
    fields = {
        "version": "v1",
        "message_imprint": {"hash_algorithm": {"algorithm": name}, "hashed_message": digest},
        "cert_req": cert_req,
    }
    if nonce is not None:
        fields["nonce"] = nonce
    if policy is not None:
        fields["req_policy"] = policy
    parsed = parse_time_stamp_req(tsp.TimeStampReq(fields).dump())
    assert (parsed.digest_algorithm, parsed.digest, parsed.cert_req) == (name, digest, cert_req)
    assert (core.Integer.load(parsed.nonce).native if parsed.nonce else None) == nonce
    assert (core.ObjectIdentifier.load(parsed.policy).dotted if parsed.policy else None) == policy
    assert tsp.MessageImprint.load(parsed.message_imprint)["hashed_message"].native == digest


@given(nonce=st.none() | st.integers(1, 1 << 64), policy=st.sampled_from(["", "1.2.3"]))
def test_another_reader_reads_what_is_written(nonce: int | None, policy: str) -> None:
    written = tsp.TimeStampReq.load(write_time_stamp_req("sha256", DIGEST, nonce, policy), strict=True)
    assert written["nonce"].native == nonce
    assert (written["req_policy"].native or "") == policy
    assert written["cert_req"].native is True
    assert written["message_imprint"]["hashed_message"].native == DIGEST


@pytest.mark.parametrize("parameters", [b"", b"\x05\x00"])
def test_imprint_is_kept_as_received(parameters: bytes) -> None:
    received = imprint(parameters=parameters)
    assert parse_time_stamp_req(request(received)).message_imprint == received


@pytest.mark.parametrize(
    ("der", "bit", "reason"),
    [
        pytest.param(b"", 5, "TIMESTAMP_REQUEST_MALFORMED", id="empty"),
        pytest.param(b"GET / HTTP/1.1", 5, "TIMESTAMP_REQUEST_MALFORMED", id="text"),
        pytest.param(request(imprint()) + b"\x00", 5, "TIMESTAMP_REQUEST_MALFORMED", id="bytes behind it"),
        pytest.param(request(imprint(), b"\x05\x00"), 5, "TIMESTAMP_REQUEST_MALFORMED", id="unknown field"),
        pytest.param(request(imprint())[:-1], 5, "TIMESTAMP_REQUEST_MALFORMED", id="truncated"),
        pytest.param(
            b"\x30\x80" + request(imprint())[2:] + b"\0\0",
            5,
            "TIMESTAMP_REQUEST_MALFORMED",
            id="indefinite length",
        ),
        pytest.param(
            b"\x30\x81" + request(imprint())[1:], 5, "TIMESTAMP_REQUEST_MALFORMED", id="length not minimal"
        ),
        pytest.param(
            request(imprint(), b"\x01\x01\x00"), 5, "TIMESTAMP_REQUEST_MALFORMED", id="default written out"
        ),
        pytest.param(request(imprint(), b"\x01\x01\x01"), 5, "TIMESTAMP_REQUEST_MALFORMED", id="BER true"),
        pytest.param(
            request(imprint(), b"\x02\x02\x00\x01"), 5, "TIMESTAMP_REQUEST_MALFORMED", id="nonce not minimal"
        ),
        pytest.param(request(imprint(), b"\x02\x00"), 5, "TIMESTAMP_REQUEST_MALFORMED", id="nonce empty"),
        pytest.param(
            request(imprint(), b"\x06\x02\x2a\x83"), 5, "TIMESTAMP_REQUEST_MALFORMED", id="policy without end"
        ),
        pytest.param(
            request(imprint(), b"\x06\x03\x2a\x80\x01"), 5, "TIMESTAMP_REQUEST_MALFORMED", id="policy padded"
        ),
        pytest.param(
            request(imprint(), integer(1), object_identifier("1.2.3")),
            5,
            "TIMESTAMP_REQUEST_MALFORMED",
            id="fields out of order",
        ),
        pytest.param(
            request(imprint(digest=DIGEST[:-1])), 5, "MESSAGE_IMPRINT_LENGTH_WRONG", id="imprint too short"
        ),
        pytest.param(
            request(imprint(digest=DIGEST + b"\0")), 5, "MESSAGE_IMPRINT_LENGTH_WRONG", id="imprint too long"
        ),
        pytest.param(
            request(imprint(object_identifier("1.3.14.3.2.26"), bytes(20))),
            0,
            "DIGEST_ALGORITHM_NOT_ACCEPTED",
            id="SHA-1",
        ),
        pytest.param(
            request(imprint(object_identifier("1.2.840.113549.2.5"), bytes(16))),
            0,
            "DIGEST_ALGORITHM_NOT_ACCEPTED",
            id="MD5",
        ),
        pytest.param(
            request(imprint(object_identifier("1.2.3.4"))),
            0,
            "DIGEST_ALGORITHM_NOT_ACCEPTED",
            id="unknown hash",
        ),
        pytest.param(
            request(imprint(parameters=b"\x04\x00")), 0, "DIGEST_ALGORITHM_NOT_ACCEPTED", id="hash parameters"
        ),
        pytest.param(
            request(imprint(), version=b"\x02\x01\x02"), 2, "TIMESTAMP_VERSION_NOT_SUPPORTED", id="version 2"
        ),
        pytest.param(request(imprint(), integer(1 << 600)), 2, "NONCE_TOO_LONG", id="long nonce"),
        pytest.param(
            request(imprint(), element(0xA0, element(0x30, object_identifier("1.2.3"), element(4, b"x")))),
            16,
            "TIMESTAMP_EXTENSION_NOT_ACCEPTED",
            id="extension",
        ),
    ],
)
def test_refusals_name_their_reason_and_bit(der: bytes, bit: int, reason: str) -> None:
    with pytest.raises(RefusalError) as refused:
        parse_time_stamp_req(der)
    assert (refused.value.failure_info, refused.value.reason) == (FailureInfo(bit), reason)


@given(st.binary(max_size=200))
@example(b"\x30\x82\x00")
@example(b"\x30\x84\xff\xff\xff\xff")
def test_garbage_is_refused_and_nothing_else_is_raised(garbage: bytes) -> None:
    with pytest.raises(RefusalError):
        parse_time_stamp_req(garbage)


@given(position=st.integers(0, 70), octet=st.integers(0, 255))
def test_a_changed_octet_is_refused_or_read_as_it_stands(position: int, octet: int) -> None:
    der = bytearray(write_time_stamp_req("sha256", DIGEST, 0x1122334455667788, "1.2.3"))
    der[position % len(der)] = octet
    try:
        parsed = parse_time_stamp_req(bytes(der))
    except RefusalError:
        return
    # Whatever was accepted is exactly one DER value: writing it again gives the same bytes.
    assert tsp.TimeStampReq.load(bytes(der), strict=True)["message_imprint"].dump() == parsed.message_imprint
    assert bytes(der) == element(
        0x30,
        b"\x02\x01\x01",
        parsed.message_imprint,
        parsed.policy or b"",
        parsed.nonce or b"",
        b"\x01\x01\xff" if parsed.cert_req else b"",
    )


@given(st.integers(-(1 << 200), 1 << 200))
def test_integers_are_der(value: int) -> None:
    assert integer(value) == core.Integer(value).dump()


@given(st.integers(0, 2), st.integers(0, 39), st.lists(st.integers(0, 1 << 40), max_size=6))
def test_object_identifiers_are_der(first: int, second: int, arcs: list[int]) -> None:
    dotted = ".".join(map(str, (first, second, *arcs)))
    assert object_identifier(dotted) == core.ObjectIdentifier(dotted).dump()
