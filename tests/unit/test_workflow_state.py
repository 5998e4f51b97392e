"""The pure state machine of a dossier."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pecete.errors import FailedPreconditionError, NotFoundError, PeceteError, PermissionDeniedError
from workflow.state import Chain, ChainStep, DossierState, Signer, StepState

MAYOR = Signer("persons/mayor", "principals/mayor", frozenset({b"M" * 32, b"N" * 32}))
SECRETARY = Signer("persons/secretary", "principals/secretary", frozenset({b"S" * 32}))
NEW = Chain((ChainStep(MAYOR.person), ChainStep(SECRETARY.person)))


def sign(chain: Chain, number: int, signer: Signer) -> Chain:
    return chain.sign(
        number, signer, principal=signer.principal, certificate_sha256=min(signer.certificate_sha256)
    )


def test_a_chain_walks_from_due_to_signed() -> None:
    assert [NEW.step_state(1), NEW.step_state(2)] == [StepState.DUE, StepState.WAITING]
    half = sign(NEW, 1, MAYOR)
    assert [half.step_state(1), half.step_state(2)] == [StepState.SIGNED, StepState.DUE]
    assert (half.due, half.state) == (2, DossierState.IN_PROGRESS)
    whole = sign(half, 2, SECRETARY)
    assert (whole.due, whole.state) == (None, DossierState.SIGNED)
    assert NEW.due == 1


def test_a_step_out_of_turn_names_the_one_that_is_due() -> None:
    with pytest.raises(FailedPreconditionError) as caught:
        sign(NEW, 2, SECRETARY)
    assert caught.value.reason == "STEP_OUT_OF_TURN"
    assert caught.value.metadata == {"due_step": "1"}
    assert "Step 1" in caught.value.message


def test_a_step_is_signed_once() -> None:
    with pytest.raises(FailedPreconditionError) as caught:
        sign(sign(NEW, 1, MAYOR), 1, MAYOR)
    assert caught.value.reason == "STEP_ALREADY_SIGNED"


@pytest.mark.parametrize(
    ("signer", "principal"), [(MAYOR, "principals/secretary"), (SECRETARY, "principals/secretary")]
)
def test_another_person_is_refused(signer: Signer, principal: str) -> None:
    with pytest.raises(PermissionDeniedError) as caught:
        NEW.sign(1, signer, principal=principal, certificate_sha256=b"M" * 32)
    assert caught.value.reason == "WRONG_SIGNER"


def test_a_stranger_learns_nothing_of_the_state() -> None:
    signed = sign(NEW, 1, MAYOR)
    for chain, number in ((signed, 1), (NEW, 2), (signed, 2)):
        with pytest.raises(PermissionDeniedError) as caught:
            signer = MAYOR if number == 1 else SECRETARY
            chain.sign(number, signer, principal="principals/stranger", certificate_sha256=b"S" * 32)
        assert caught.value.reason == "WRONG_SIGNER"


def test_a_certificate_that_is_not_enrolled_is_refused() -> None:
    with pytest.raises(PermissionDeniedError) as caught:
        NEW.sign(1, MAYOR, principal=MAYOR.principal, certificate_sha256=b"S" * 32)
    assert (caught.value.reason, caught.value.field) == ("WRONG_CERTIFICATE", "signing_key")


@pytest.mark.parametrize("number", [-1, 0, 3])
def test_a_step_that_is_not_there(number: int) -> None:
    with pytest.raises(NotFoundError) as caught:
        sign(NEW, number, MAYOR)
    assert caught.value.reason == "STEP_NOT_FOUND"
    with pytest.raises(NotFoundError):
        NEW.step_state(number)


def test_one_person_may_sign_two_steps() -> None:
    chain = Chain((ChainStep(MAYOR.person), ChainStep(MAYOR.person)))
    assert sign(sign(chain, 1, MAYOR), 2, MAYOR).state is DossierState.SIGNED


@given(st.integers(1, 8), st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=60))
def test_whatever_is_tried_steps_are_signed_in_order(length: int, attempts: list[tuple[int, bool]]) -> None:
    chain = Chain((ChainStep(MAYOR.person),) * length)
    signed = 0
    for number, rightful in attempts:
        principal = MAYOR.principal if rightful else "principals/other"
        try:
            chain = chain.sign(number, MAYOR, principal=principal, certificate_sha256=b"M" * 32)
        except PeceteError:
            assert not (rightful and number == signed + 1 <= length)
        else:
            signed += 1
            assert rightful
            assert number == signed
        assert [step.signed for step in chain.steps] == [True] * signed + [False] * (length - signed)
