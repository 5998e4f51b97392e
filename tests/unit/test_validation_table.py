"""The table of sub-indications as a whole (EN 319 102-1 §5.1.3)."""

from collections.abc import Callable

from signer.validation.indication import FAILED, SubIndication
from tests.unit import test_validation_context, test_validation_indications, test_validation_past


def test_only_the_standards_failures_fail() -> None:
    assert {
        SubIndication.FORMAT_FAILURE,
        SubIndication.HASH_FAILURE,
        SubIndication.SIG_CRYPTO_FAILURE,
        SubIndication.REVOKED,
        SubIndication.EXPIRED,
        SubIndication.NOT_YET_VALID,
    } == FAILED


def test_each_sub_indication_has_a_test() -> None:
    modules = (test_validation_context, test_validation_indications, test_validation_past)
    tests: list[Callable[..., None]] = [
        value
        for module in modules
        for name, value in vars(module).items()
        if name.startswith("test_") and callable(value)
    ]
    for kind in SubIndication:
        assert any(kind.name in test.__code__.co_names for test in tests), kind
