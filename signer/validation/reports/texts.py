"""The words of the readable report, by language."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Language = Literal["ro", "en"]


@dataclass(frozen=True)
class Texts:
    """All sentences of one language.

    Mappings are by the words of the verdict. passed, failed, open: for several signatures, with numbers of
    them. advice: what to do, by tone. reasons: why, by sub-indication. sentences: patterns of the verdict's
    own English sentences with what they are in this language, tried in turn. errors: by
    reason, where the error's own sentence is not in this language.
    """

    title: str
    judged_at: str
    unreadable: str
    unsigned: str
    failed_one: str
    failed: str
    passed_one: str
    passed: str
    open_one: str
    open: str
    why: str
    what_to_do: str
    advice: Mapping[str, str]
    more: str
    signatures: str
    file: str
    trusted: str
    changed: str
    label_integrity: str
    label_modification: str
    label_identity: str
    label_qualification: str
    label_time: str
    integrity: Mapping[str, str]
    modification: Mapping[str, str]
    identity: Mapping[str, str]
    qualification: Mapping[str, str]
    qualification_open: str
    time_proven: str
    time_proven_by: str
    time_claimed: str
    time_unknown: str
    indication: Mapping[str, str]
    reasons: Mapping[str, str]
    findings: str
    changes: str
    pictures: str
    picture: str
    details: str
    level: str
    field: str
    claimed_time: str
    proven_time: str
    path: str
    serial_number: str
    issuer: str
    validity: str
    validity_span: str
    code: str
    trace: str
    timestamp: Mapping[str, str]
    document_timestamps: str
    evidence_records: str
    none: str
    unknown_signer: str
    standard: str
    page: str
    moment: str
    errors: Mapping[str, str]
    sentences: tuple[tuple[str, str], ...] = ()
