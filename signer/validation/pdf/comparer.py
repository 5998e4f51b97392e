"""Comparing an object's former value with its new one, under each role that it has."""

from collections.abc import Callable, Mapping
from enum import IntEnum

from signer.validation.pdf.fields import inherited
from signer.validation.pdf.revisions import Document
from signer.validation.pdf.roles import GRAMMAR, RoleMap
from signer.validation.pdf.values import DuplicateKeys, Reference, Value, same


class Level(IntEnum):
    """How far a change goes; each permission of DocMDP allows up to one of them (ISO 32000-2 §12.8.2.2)."""

    NONE = 0
    EXTENSION = 1
    """Validation data, document time-stamps, metadata: what no permission forbids."""
    FORM = 2
    """Filling in fields and signing."""
    ANNOTATION = 3
    """Adding, changing or removing annotations."""
    UNDEFINED = 4
    """Anything else; nothing permits it."""


class ChangeLog:
    """What one revision changed.

    level: the farthest change. reasons: (level, sentence) in the order found.
    fields: names of the fields filled or signed; "*" is a field that could not be named.
    places_field: whether a visible signature field was added.
    findings: sentences on what is permitted, but should be known.
    """

    def __init__(self) -> None:
        self.level = Level.NONE
        self.reasons: list[tuple[Level, str]] = []
        self.fields: set[str] = set()
        self.places_field = False
        self.findings: list[str] = []

    def note(self, level: Level, reason: str, field: str | None = None) -> None:
        """Record a change, and the field that it fills if it fills one."""
        self.reasons.append((level, reason))
        self.level = max(self.level, level)
        if field is not None:
            self.fields.add(field)

    def find(self, level: Level, sentence: str) -> None:
        """Record a change that should be known also where it is permitted."""
        self.note(level, sentence)
        self.findings.append(sentence)

    def forbid(self, reason: str) -> None:
        """Record a change that nothing permits."""
        self.note(Level.UNDEFINED, reason)


Rule = Callable[["Comparer", Value, Value, "int | None", str], None]
"""Judges the difference of two values: (comparer, former, present, object number, what it is in words)."""

_WHOLE = {
    # roles whose every change has one level: what belongs to an appearance or an annotation alone
    "FORM_RESOURCE": Level.FORM,
    "PIECE": Level.FORM,
    "ICON": Level.ANNOTATION,
    "LOOK_RESOURCE": Level.FORM,
    "ANNOTATION_PART": Level.ANNOTATION,
}


class Comparer:
    """Compares values of the present revision with the former ones and writes down what it finds in `log`.

    before, now: follow references in the former and in the present revision.
    """

    def __init__(self, document: Document, roles: RoleMap, rules: Mapping[str, Rule]) -> None:
        self.document = document
        self.roles = roles
        self.rules = rules
        self.log = ChangeLog()
        self.before = document.before
        self.now = document.now
        self.root_field_names: set[str] | None = None
        self._compared: set[tuple[str, Reference, Reference]] = set()
        self.fields_made: set[Reference] = set()

    def begin(self) -> ChangeLog:
        """Start the log of a new revision."""
        self.log = ChangeLog()
        self._compared.clear()
        self.fields_made.clear()
        return self.log

    def compare(self, role: str, former: Value, present: Value, number: int | None, where: str) -> None:
        """Judge the difference of two slots of that role; either may be a reference."""
        if isinstance(former, Reference) and isinstance(present, Reference):
            if former == present or (role, former, present) in self._compared:
                return
            self._compared.add((role, former, present))
        old, new = self.before(former), self.now(present)
        if same(old, new):
            return
        rule = self.rules.get(role)
        if rule is not None:
            rule(self, old, new, number, where)
        else:
            field = "*" if role == "LOOK_RESOURCE" else None
            self.log.note(_WHOLE.get(role, Level.UNDEFINED), f"{where} changed", field)

    def compare_key(self, role: str, key: str, former: Value, present: Value, number: int | None) -> None:
        """Judge an entry of a dictionary by the role that the grammar gives it."""
        below = GRAMMAR[role].get(key) or GRAMMAR[role].get("*", "OTHER")
        self.compare(below, former, present, number, f"{role.lower()} {key}")

    def changed_keys(self, former: Value, present: Value, where: str) -> list[tuple[str, Value, Value]]:
        """(key, former, present) for each entry that differs; anything but two dictionaries is forbidden."""
        if (
            not isinstance(former, dict)
            or not isinstance(present, dict)
            or isinstance(present, DuplicateKeys)
        ):
            self.log.forbid(f"{where}: not a plain dictionary")
            return []
        keys = former.keys() | present.keys()
        changed = ((key, former.get(key), present.get(key)) for key in sorted(keys))
        return [(key, old, new) for key, old, new in changed if not same(old, new)]

    def added_items(self, former: Value, present: Value, where: str) -> list[Value]:
        """Items that an array has beyond the former one; items removed or moved are forbidden."""
        former = [] if former is None else former
        if not isinstance(former, list) or not isinstance(present, list):
            self.log.forbid(f"{where}: not an array")
            return []
        if present[: len(former)] == former:
            return present[len(former) :]
        kept, extra = 0, []
        for item in present:
            if kept < len(former) and item == former[kept]:
                kept += 1
            else:
                extra.append(item)
        if kept < len(former):
            self.log.forbid(f"{where}: an item was removed or moved")
            return []
        return extra

    def is_new(self, value: Value) -> bool:
        """Whether a slot holds a direct value or an object that this revision introduces."""
        return self.document.is_new(value)

    def value_of(self, number: int | None, field: Value, present: bool) -> Value:
        """The value of a field, its own or inherited, also where a kid does not name its parent."""
        look = self.now if present else self.before
        for _ in range(30):
            value = inherited(field, "/V", look)
            above = self.roles.parents.get(number) if number is not None else None
            if value is not None or above is None:
                return value
            number, field = above, look(Reference(above, 0))
        return None
