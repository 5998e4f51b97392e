"""Every attack on a signed document fails with its word, and what looks like it passes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pecete.errors import PeceteError
from signer.validation import ValidationPolicy, validate
from tests.attacks import (
    byte_ranges,
    containers,
    file_structure,
    forms,
    incremental,
    messages,
    overlays,
    shadows,
)
from tests.attacks.cases import Attack
from tests.attacks.documents import VICTIM
from tests.unit.cades_signatures import CONTENT
from tests.unit.validation_documents import BORN, CRL_START, OFF, ROOT, SUB, YEAR, crl, policy

_LATE = BORN + YEAR * 2
_LONG = {"next_update": _LATE + YEAR, "this_update": CRL_START}
AFTER_THE_END = policy(crl(ROOT, **_LONG), crl(SUB, **_LONG), time=_LATE)
PDF = {
    "incremental": incremental.ATTACKS,
    "file structure": file_structure.ATTACKS,
    "byte ranges": byte_ranges.ATTACKS,
    "shadow": shadows.ATTACKS,
    "form": forms.ATTACKS,
    "overlay": overlays.ATTACKS,
    "message": messages.ATTACKS,
}


def each(attacks: Sequence[Attack], kind: str = "") -> list[object]:
    return [pytest.param(attack, id=f"{kind}: {attack.name}".strip(": ")) for attack in attacks]


def word(document: bytes, victim: str, by: ValidationPolicy = OFF, detached: Sequence[Path] = ()) -> str:
    """The verdict on the victim's signature in a word: `passed`, a sub-indication, or a refusal's reason."""
    try:
        report = validate(document, by, detached=detached)
    except PeceteError as refusal:
        return refusal.reason
    if report.error is not None:
        return report.error.reason
    named = [signature for signature in report.signatures if signature.field == victim]
    verdict = (named or list(report.signatures))[0]
    return "passed" if verdict.conclusion.passed else str(verdict.conclusion.sub_indication)


@pytest.mark.parametrize("attack", [case for kind, some in PDF.items() for case in each(some, kind)])
def test_attacks_on_a_pdf(attack: Attack) -> None:
    assert word(attack.attack(), VICTIM) == attack.word
    assert word(attack.innocent(), VICTIM) == "passed", attack.permits


@pytest.mark.parametrize("attack", each(forms.ATTACKS_ON_LOCKS))
def test_attacks_on_a_lock(attack: Attack) -> None:
    assert word(attack.attack(), forms.LOCKING) == attack.word
    assert word(attack.innocent(), forms.LOCKING) == "passed", attack.permits


@pytest.mark.parametrize("attack", each(containers.ATTACKS))
def test_attacks_on_a_container(attack: Attack) -> None:
    assert word(attack.attack(), "") == attack.word
    assert word(attack.innocent(), "") == "passed", attack.permits


@pytest.mark.parametrize("attack", each(messages.ATTACKS_BESIDE))
def test_attacks_on_a_signature_beside_its_content(tmp_path: Path, attack: Attack) -> None:
    content = tmp_path / "content"
    content.write_bytes(CONTENT)
    by = AFTER_THE_END if attack.late else OFF
    assert word(attack.attack(), "", by, [content]) == attack.word
    assert word(attack.innocent(), "", by, [content]) == "passed", attack.permits


def test_content_inside_does_not_speak_for_another_file(tmp_path: Path) -> None:
    content, other = tmp_path / "content", tmp_path / "other"
    content.write_bytes(CONTENT)
    other.write_bytes(messages.OTHER_CONTENT)
    both = messages.beside(messages.content_inside(CONTENT))
    assert word(both, "", detached=[content]) == "passed"
    assert word(both, "") == "passed"
    assert word(both, "", detached=[other]) == messages.HASH


def test_without_pictures_what_only_pictures_show_is_the_permission_alone() -> None:
    (attack,) = (case for case in overlays.ATTACKS if case.name == "a black box")
    assert word(attack.attack(), VICTIM, replace(OFF, rendering=False)) == "passed"
