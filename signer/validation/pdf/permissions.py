"""What a signature lets happen afterwards: DocMDP, FieldMDP and locks (ISO 32000-2 §12.8.2, §12.7.5.5)."""

from collections.abc import Iterable
from dataclasses import dataclass

from signer.validation.pdf.comparer import Level
from signer.validation.pdf.values import Dictionary, Look, Value, text

_BY_PERMISSION = {1: Level.EXTENSION, 2: Level.FORM, 3: Level.ANNOTATION}


@dataclass(frozen=True)
class FieldLock:
    """Which fields may no longer change: all, those named, or all but those named."""

    action: str
    names: frozenset[str]

    def holds(self, field: str) -> bool:
        """Whether the field is locked; a field that could not be named ("*") is."""
        if field == "*" or self.action not in ("/Include", "/Exclude"):
            return True
        named = any(field == name or field.startswith(name + ".") for name in self.names)
        return named == (self.action == "/Include")


@dataclass(frozen=True)
class Permissions:
    """The farthest permitted level, and the locks."""

    limit: Level
    locks: tuple[FieldLock, ...]

    def locked(self, fields: Iterable[str]) -> list[str]:
        """Those of the changed fields that were locked."""
        return sorted(name for name in fields if any(lock.holds(name) for lock in self.locks))


def permissions(signature: Dictionary, look: Look) -> Permissions:
    """What the transforms of a signature's /Reference permit; without any, all but undefined changes."""
    limit, locks = Level.ANNOTATION, []
    references = look(signature.get("/Reference"))
    for item in references if isinstance(references, list) else ():
        reference = look(item)
        if not isinstance(reference, dict):
            continue
        parameters = look(reference.get("/TransformParams"))
        parameters = {k: look(v) for k, v in parameters.items()} if isinstance(parameters, dict) else {}
        method = look(reference.get("/TransformMethod"))
        if method == "/DocMDP":
            limit = min(limit, _limit(parameters.get("/P", 2)))
        elif method == "/FieldMDP":
            locks.append(_lock(parameters, look))
            if "/P" in parameters:
                limit = min(limit, _limit(parameters["/P"]))
    return Permissions(limit, tuple(locks))


def certifies(signature: Dictionary, look: Look) -> bool:
    """Whether a signature certifies the document: it says itself what may follow (§12.8.2.2)."""
    references = look(signature.get("/Reference"))
    items = [look(item) for item in references] if isinstance(references, list) else []
    return any(isinstance(i, dict) and look(i.get("/TransformMethod")) == "/DocMDP" for i in items)


def _limit(permission: Value) -> Level:
    """A permission that the standard does not know permits nothing."""
    return _BY_PERMISSION.get(permission, Level.EXTENSION) if isinstance(permission, int) else Level.EXTENSION


def _lock(parameters: Dictionary, look: Look) -> FieldLock:
    fields = parameters.get("/Fields")
    names = [look(item) for item in fields] if isinstance(fields, list) else []
    return FieldLock(
        str(parameters.get("/Action")), frozenset(text(n) for n in names if isinstance(n, bytes))
    )
