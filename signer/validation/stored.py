"""Facts and policies as JSON documents, so that what was read once can be judged again at any time.

The same facts under the same policy, which has its time in it, give the same verdict at any time.
"""

import json
from typing import TypeVar

from pecete.errors import InvalidArgumentError
from signer.validation.facts import DocumentFacts
from signer.validation.plain import from_plain, to_plain
from signer.validation.policy import ValidationPolicy

_FACTS, _POLICY = "pecete.facts", "pecete.validation-policy"
_VERSION = 1
_Stored = TypeVar("_Stored", DocumentFacts, ValidationPolicy)


def facts_to_json(facts: DocumentFacts) -> str:
    """Facts as a JSON document; octets are base64, times ISO 8601."""
    return _written(_FACTS, facts)


def facts_from_json(document: str) -> DocumentFacts:
    """The facts that `facts_to_json` wrote. Raises InvalidArgumentError FACTS_UNREADABLE."""
    return _read(DocumentFacts, _FACTS, document, "FACTS_UNREADABLE")


def policy_to_json(policy: ValidationPolicy) -> str:
    """A policy as a JSON document."""
    return _written(_POLICY, policy)


def policy_from_json(document: str) -> ValidationPolicy:
    """The policy that `policy_to_json` wrote. Raises InvalidArgumentError VALIDATION_POLICY_UNREADABLE."""
    return _read(ValidationPolicy, _POLICY, document, "VALIDATION_POLICY_UNREADABLE")


def _written(kind: str, value: object) -> str:
    return json.dumps({"kind": kind, "version": _VERSION, "value": to_plain(value)}, sort_keys=True)


def _read(of: type[_Stored], kind: str, document: str, reason: str) -> _Stored:
    try:
        stored = json.loads(document)
        if stored["kind"] != kind or stored["version"] != _VERSION:
            raise ValueError("of another kind or version")
        return from_plain(of, stored["value"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidArgumentError(
            reason, f"The JSON document is no {kind} of version {_VERSION}."
        ) from error
