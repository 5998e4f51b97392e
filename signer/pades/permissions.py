"""What signatures permit and lock: DocMDP, FieldMDP and Lock (ISO 32000-2 §12.8.2 and §12.7.5.5)."""

from collections.abc import Iterable
from dataclasses import dataclass

import pikepdf
from pikepdf import Name

from pecete.errors import FailedPreconditionError
from signer.pades.form import FormFields
from signer.pades.objects import dictionaries
from signer.pades.options import Certification, Lock

_ACTIONS = ("/All", "/Include", "/Exclude")
_NO_CHANGES = 1


@dataclass(frozen=True)
class FieldLock:
    """Which fields a signature locks; the same entries make a field's Lock and FieldMDP's parameters.

    action: `/All`, `/Include` or `/Exclude`. permission: P, which says what the whole document still takes,
    and which FieldMDP's parameters repeat as Acrobat writes them.
    """

    action: str
    fields: tuple[str, ...] = ()
    permission: int | None = None

    @classmethod
    def read(cls, dictionary: pikepdf.Object) -> "FieldLock":
        """Read a Lock or FieldMDP's parameters. Raises ValueError for an action that there is not."""
        action = str(dictionary.get(Name.Action))
        if action not in _ACTIONS:
            raise ValueError("a field lock without an action")
        fields = dictionary.get(Name.Fields, pikepdf.Array())
        permission = dictionary.get(Name.P)
        return cls(
            action, tuple(str(name) for name in fields), int(permission) if permission is not None else None
        )

    @classmethod
    def made(cls, lock: Lock | None, names: Iterable[str]) -> "FieldLock | None":
        """The lock that a caller asks for, where `names` are the fields that are settled with it.

        Fields are named even where the document is locked: with the action All, DSS takes the field of a
        document time-stamp, which may follow, for a change of a locked one.
        """
        if lock is None:
            return None
        return cls("/Include", tuple(names), _NO_CHANGES if lock is Lock.DOCUMENT else None)

    @property
    def kind(self) -> Lock:
        """Which of our own locks it is, or is nearest to."""
        return Lock.DOCUMENT if self.permission == _NO_CHANGES else Lock.FIELDS

    def covers(self, name: str) -> bool:
        """Whether the field `name` is locked."""
        if self.permission == _NO_CHANGES or self.action == "/All":
            return True
        listed = any(name == field or name.startswith(field + ".") for field in self.fields)
        return listed == (self.action == "/Include")

    def entries(self) -> bytes:
        """The dictionary's entries besides Type."""
        parts = [b"/Action " + self.action.encode()]
        if self.action != "/All":
            names = b" ".join(pikepdf.String(name).unparse() for name in self.fields)
            parts.append(b"/Fields [%s]" % names)
        if self.permission is not None:
            parts.append(b"/P %d" % self.permission)
        return b" ".join(parts)

    def dictionary(self) -> bytes:
        """The signature field lock dictionary (ISO 32000-2 Table 236)."""
        return b"<< /Type /SigFieldLock %s >>" % self.entries()


def references(certification: Certification | None, lock: FieldLock | None, catalog: bytes) -> bytes:
    """The entry Reference of a signature dictionary; nothing where it permits and locks nothing of its own.

    catalog: the reference to it. There are no digests: ISO 19005-2 §6.1.12 forbids them beside DocMDP.
    """
    parts = []
    if certification is not None:
        parts.append(_reference(b"/DocMDP", b"/P %d" % certification))
    if lock is not None:
        parts.append(_reference(b"/FieldMDP", lock.entries(), b" /Data " + catalog))
    return b"/Reference [%s]" % b"\n".join(parts) if parts else b""


def check_earlier(
    fields: FormFields, certification: pikepdf.Object | None, names: Iterable[str], *, shows_new_field: bool
) -> None:
    """Refuse what a certification or an earlier signature forbids of filling the fields `names`.

    certification: the dictionary of the certification signature. shows_new_field: whether one of the fields
    is new and visible, which is no filling in. Raises FailedPreconditionError DOCUMENT_CERTIFIED_NO_CHANGES,
    DOCUMENT_CERTIFIED_NO_NEW_FIELD or DOCUMENT_LOCKED; ValueError for what cannot be read.
    """
    permission, locks = _in_force(fields, certification)
    if permission == _NO_CHANGES:
        raise FailedPreconditionError(
            "DOCUMENT_CERTIFIED_NO_CHANGES",
            "The document is certified and allows no changes, so no further signature.",
            field="document",
        )
    if any(lock.covers(name) for lock in locks for name in names):
        raise FailedPreconditionError(
            "DOCUMENT_LOCKED", "An earlier signature locked the document against this one.", field="document"
        )
    limited = permission is not None or any(lock.permission is not None for lock in locks)
    if limited and shows_new_field:
        raise FailedPreconditionError(
            "DOCUMENT_CERTIFIED_NO_NEW_FIELD",
            "The document is certified: it takes an invisible signature, or one in a field that it has.",
            field="document",
        )


def field_lock(
    existing: pikepdf.Object | None, asked: Lock | None, settled: Iterable[str], name: str
) -> FieldLock | None:
    """What the signature in the field `name` locks: an existing field's own lock, else what is asked for.

    settled: the other fields that it locks. Raises FailedPreconditionError FIELD_LOCK_DIFFERS.
    """
    own = existing.get(Name.Lock) if existing is not None else None
    if own is None:
        return FieldLock.made(asked, (*settled, name))
    lock = FieldLock.read(own)
    if asked is Lock.DOCUMENT and lock.permission != _NO_CHANGES:
        raise FailedPreconditionError(
            "FIELD_LOCK_DIFFERS",
            "The field says itself what its signature locks, and that is not the whole document.",
            field="lock",
        )
    return lock


def _reference(method: bytes, parameters: bytes, data: bytes = b"") -> bytes:
    """A signature reference dictionary (ISO 32000-2 Tables 256 to 259)."""
    return (
        b"<< /Type /SigRef /TransformMethod %s%s /TransformParams << /Type /TransformParams /V /1.2 %s >> >>"
        % (method, data, parameters)
    )


def _in_force(fields: FormFields, certification: pikepdf.Object | None) -> tuple[int | None, list[FieldLock]]:
    """The strictest P of a DocMDP transform, and all locks of the signatures there are."""
    locks = [FieldLock.read(field[Name.Lock]) for field in fields.signed if Name.Lock in field]
    permissions = [] if certification is None else [2]
    for signature in (*fields.signatures, *([] if certification is None else [certification])):
        for reference in dictionaries(signature.get(Name.Reference)):
            method = reference.get(Name.TransformMethod)
            parameters = reference.get(Name.TransformParams, pikepdf.Dictionary())
            if method == Name.DocMDP:
                permissions.append(int(parameters.get(Name.P, 2)))
            elif method == Name.FieldMDP:
                locks.append(FieldLock.read(parameters))
    return min(permissions, default=None), locks
