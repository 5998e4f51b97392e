"""The form fields of a document (ISO 32000-2 §12.7.4)."""

from collections.abc import Iterator
from functools import cached_property

import pikepdf
from pikepdf import Name

from signer.pades.objects import DEEPEST_TREE, dictionaries, inherited


class FormFields:
    """The fields of an interactive form by their fully qualified names (ISO 32000-2 §12.7.4.2).

    Raises ValueError where the fields are no tree.
    """

    def __init__(self, form: pikepdf.Object | None) -> None:
        self._fields = dict(_walk(form.get(Name.Fields) if form is not None else None))

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def get(self, name: str) -> pikepdf.Object | None:
        """The field of that name."""
        return self._fields.get(name)

    @cached_property
    def signed(self) -> list[pikepdf.Object]:
        """The signature fields that hold a signature or a document time-stamp."""
        return [field for field in self._fields.values() if is_signed(field)]

    @property
    def signatures(self) -> list[pikepdf.Object]:
        """The signature dictionaries in those fields."""
        values = (inherited(field, Name.V) for field in self.signed)
        return [value for value in values if isinstance(value, pikepdf.Dictionary)]

    def settled(self) -> list[str]:
        """Names of the terminal fields that are no empty signature fields."""
        return [
            name
            for name, field in self._fields.items()
            if not any(Name.T in kid for kid in dictionaries(field.get(Name.Kids)))
            and (is_signed(field) or inherited(field, Name.FT) != Name.Sig)
        ]


def is_signed(field: pikepdf.Object) -> bool:
    """Whether a field holds a signature."""
    return inherited(field, Name.FT) == Name.Sig and isinstance(inherited(field, Name.V), pikepdf.Dictionary)


def _walk(fields: pikepdf.Object | None) -> Iterator[tuple[str, pikepdf.Object]]:
    seen: set[tuple[int, int]] = set()
    waiting = [("", field, 0) for field in dictionaries(fields)]
    while waiting:
        prefix, field, depth = waiting.pop()
        if depth > DEEPEST_TREE or (field.is_indirect and field.objgen in seen):
            raise ValueError("the form's fields are no tree")
        seen.add(field.objgen)
        partial = str(field.get(Name.T, ""))
        name = f"{prefix}.{partial}" if prefix and partial else prefix or partial
        if Name.T in field:
            yield name, field
        waiting += [(name, kid, depth + 1) for kid in dictionaries(field.get(Name.Kids))]
