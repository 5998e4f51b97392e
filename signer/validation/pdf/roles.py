"""Which parts of the document reach an object.

A role is a state of a small automaton over dictionary keys (`GRAMMAR`): starting from the trailer, the key by
which an object is reached gives it its role. An object may have many. Roles only ever grow, so that a role
that no longer holds can make a verdict stricter, never laxer. OTHER is everything that no rule permits to
change, and it absorbs whatever it reaches.
"""

from collections.abc import Iterable, Mapping

from signer.validation.pdf.fields import inherited
from signer.validation.pdf.revisions import Document
from signer.validation.pdf.values import Reference, Stream, Value

_STOP = "-"
"""A link back up the document: it gives no role."""
_LINKS = dict.fromkeys(("/P", "/Pg", "/Parent", "/Dest", "/D", "/Obj", "/SE", "/Fields", "/T"), "LINK")

GRAMMAR: Mapping[str, Mapping[str, str]] = {
    # role: {key: role of what stands there}; "*" is any other key, "[" is an item of an array
    "TRAILER": {
        "/Root": "CATALOG",
        "/Info": "INFORMATION",
        "/AdditionalStreams": "ADDITIONAL",
        "/AuthCode": _STOP,
        "*": "OTHER",
    },
    "CATALOG": {
        "/AcroForm": "FORM",
        "/Pages": "PAGE",
        "/DSS": "STORE",
        "/Metadata": "METADATA",
        "/Extensions": "EXTENSIONS",
        "/StructTreeRoot": "STRUCTURE",
        "/MarkInfo": "MARK",
        "/Perms": "PERMISSIONS",
        "/PieceInfo": "PIECE",
        "/Names": "NAMES",
        "*": "OTHER",
    },
    "PERMISSIONS": {"*": "VALUE"},
    "PIECE": {"*": "PIECE", "[": "PIECE"},
    "NAMES": {"/AP": "ICON", "*": "OTHER"},
    "ICON": {"*": "ICON", "[": "ICON"},
    "FORM": {"/Fields": "FIELD_LIST", "/DR": "RESOURCES", "/CO": "LINK", "*": "OTHER"},
    "RESOURCES": {"/Font": "FONTS", "/Encoding": "FONTS", "*": "FORM_RESOURCE"},
    "FONTS": {"*": "OTHER", "[": "OTHER"},
    "FORM_RESOURCE": {"*": "OTHER", "[": "OTHER"},
    "FIELD_LIST": {"[": "FIELD"},
    "FIELD_KIDS": {"[": "FIELD"},
    "SIGNATURE_KIDS": {"[": "SIGNATURE_FIELD"},
    "FIELD": {
        "/Kids": "FIELD_KIDS",
        "/Parent": _STOP,
        "/P": _STOP,
        "/V": "VALUE",
        "/AP": "LOOK",
        "*": "OTHER",
    },
    "SIGNATURE_FIELD": {
        "/Kids": "SIGNATURE_KIDS",
        "/Parent": _STOP,
        "/P": _STOP,
        "/V": "VALUE",
        "/AP": "SIGNATURE_LOOK",
        "*": "OTHER",
    },
    "VALUE": {"/Data": _STOP, "*": "VALUE", "[": "VALUE"},
    # an appearance dictionary, its states, its streams, and what those draw with
    "LOOK": {"*": "LOOK_STATES"},
    "LOOK_STATES": {"*": "LOOK_STREAM"},
    "LOOK_STREAM": {"*": "LOOK_RESOURCE"},
    "LOOK_RESOURCE": {"*": "LOOK_RESOURCE", "[": "LOOK_RESOURCE"},
    "SIGNATURE_LOOK": {"*": "SIGNATURE_LOOK_STATES"},
    "SIGNATURE_LOOK_STATES": {"*": "SIGNATURE_LOOK_STREAM"},
    "SIGNATURE_LOOK_STREAM": {"*": "OTHER"},
    "PAGE": {"/Kids": "PAGE_LIST", "/Annots": "ANNOTATION_LIST", "/Parent": _STOP, "*": "OTHER"},
    "PAGE_LIST": {"[": "PAGE"},
    "ANNOTATION_LIST": {"[": "ANNOTATION"},
    "ANNOTATION": {
        **_LINKS,
        "/P": _STOP,
        "/Parent": _STOP,
        "/IRT": _STOP,
        "/Popup": "ANNOTATION",
        "*": "ANNOTATION_PART",
    },
    "ANNOTATION_PART": {**_LINKS, "*": "ANNOTATION_PART", "[": "ANNOTATION_PART"},
    "STORE": {
        "/VRI": "STORE_INDEX",
        "/Certs": "STORE_LIST",
        "/OCSPs": "STORE_LIST",
        "/CRLs": "STORE_LIST",
        "*": "STORE_DATA",
    },
    "STORE_INDEX": {"*": "STORE_ENTRY"},
    "STORE_ENTRY": {"/Cert": "STORE_LIST", "/OCSP": "STORE_LIST", "/CRL": "STORE_LIST", "*": "STORE_DATA"},
    "STORE_LIST": {"[": "STORE_DATA"},
    "STORE_DATA": {"*": "OTHER", "[": "OTHER"},
    "ADDITIONAL": {"[": "ADDITIONAL", "*": _STOP},
    "LINK": {"[": "LINK", "*": "OTHER"},
    "METADATA": {"*": "OTHER"},
    "INFORMATION": {"*": "INFORMATION", "[": "INFORMATION"},
    "EXTENSIONS": {"*": "EXTENSIONS", "[": "EXTENSIONS"},
    "MARK": {"*": "MARK"},
    "STRUCTURE": {
        "/P": _STOP,
        "/Pg": "LINK",
        "/Obj": "LINK",
        "/K": "STRUCTURE",
        "/ParentTree": "STRUCTURE",
        "/IDTree": "STRUCTURE",
        "/Nums": "STRUCTURE",
        "/Names": "STRUCTURE",
        "/Kids": "STRUCTURE",
        "[": "STRUCTURE",
        "*": "OTHER",
    },
    "OTHER": {**_LINKS, "*": "OTHER", "[": "OTHER"},
}
BITS = {role: 1 << index for index, role in enumerate(GRAMMAR)}
"""The bit of each role in `RoleMap.bits`."""
IS_FIELD = BITS["FIELD"] | BITS["SIGNATURE_FIELD"]
_IDENTITY = IS_FIELD | BITS["CATALOG"] | BITS["PAGE"] | BITS["ANNOTATION"] | BITS["STRUCTURE"]
_DESTINATIONS = frozenset({"/XYZ", "/Fit", "/FitH", "/FitV", "/FitR", "/FitB", "/FitBH", "/FitBV"})
_LISTS_THAT_GROW = {"FIELD_LIST": IS_FIELD, "ANNOTATION_LIST": BITS["ANNOTATION"]}
_STREAM_ROLES = {"LOOK_STATES": "LOOK_STREAM", "SIGNATURE_LOOK_STATES": "SIGNATURE_LOOK_STREAM"}
OWNED = frozenset(
    {
        "VALUE",
        "LOOK",
        "LOOK_STATES",
        "LOOK_STREAM",
        "SIGNATURE_LOOK",
        "SIGNATURE_LOOK_STATES",
        "SIGNATURE_LOOK_STREAM",
    }
)
"""Roles of what belongs to a field, so that the owning fields matter when it changes."""

Step = tuple[Reference, str, int | None]
"""A reference, the role by which it was met, and the number of the field it belongs to."""


class RoleMap:
    """Roles of the objects of a document in its present revision and before.

    bits: object number -> its roles as a bit set. owners: of objects in OWNED roles, their fields.
    parents: field -> the field above it, also where the kid does not name its parent.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self.bits: dict[int, int] = {}
        self.owners: dict[int, set[int | None]] = {}
        self.parents: dict[int, int | None] = {}

    def of(self, number: int) -> int:
        """Bit set of an object's roles."""
        return self.bits.get(number, 0)

    def learn(self, starts: Iterable[tuple[Value, str, int | None]]) -> None:
        """Follow values from the roles that they stand in until no role is added any more."""
        steps: list[Step] = []
        for value, role, owner in starts:
            self._spread(value, role, owner, steps)
        self._grow(steps)

    def reread(self, number: int, value: Value) -> list[tuple[Value, str, int | None]]:
        """The starts for `learn` that an object which was written again makes, one for each of its roles."""
        bits = self.of(number)
        starts: list[tuple[Value, str, int | None]] = []
        for role, bit in BITS.items():
            if bits & bit and not self._is_field_as_annotation(number, role):
                owners = self.owners.get(number, ()) if role in OWNED else (number,)
                starts += [(value, self._content_role(role, value), owner) for owner in owners]
        return starts

    def _is_field_as_annotation(self, number: int, role: str) -> bool:
        return role == "ANNOTATION" and bool(self.of(number) & IS_FIELD)

    def _content_role(self, role: str, value: Value) -> str:
        """A widget that is no field of the form may not change at all."""
        stray = role == "ANNOTATION" and isinstance(value, dict) and value.get("/Subtype") == "/Widget"
        return "OTHER" if stray else role

    def _spread(self, value: Value, role: str, owner: int | None, steps: list[Step]) -> None:
        """Add each reference within `value` to `steps`, with the role by which it was met."""
        stack: list[tuple[Value, str]] = [(value, role)]
        while stack:
            value, role = stack.pop()
            if isinstance(value, Reference):
                steps.append((value, role, owner))
            elif isinstance(value, list):
                self._spread_array(value, role, stack)
            elif isinstance(value, Stream):
                stack.append((value.dictionary, _STREAM_ROLES.get(role, role)))
            elif isinstance(value, dict):
                grammar = GRAMMAR[role]
                rest = grammar.get("*", "OTHER")
                for key, item in value.items():
                    if isinstance(item, (Reference, list, dict, Stream)):
                        below = grammar.get(key, rest)
                        if below != _STOP:
                            stack.append((item, below))

    def _spread_array(self, items: list[Value], role: str, stack: list[tuple[Value, str]]) -> None:
        below = GRAMMAR[role].get("[", "OTHER")
        known = _LISTS_THAT_GROW.get(role)
        if known is not None:  # long lists that every revision repeats: only what is new there
            has = self.bits.get
            items = [x for x in items if not isinstance(x, Reference) or not has(x.number, 0) & known]
        kind = items[1] if len(items) > 1 else None
        names_a_page = (
            isinstance(kind, str) and kind in _DESTINATIONS
        )  # [page /Fit …] does not contain the page
        first = "LINK" if names_a_page and below in ("OTHER", "ANNOTATION_PART") else below
        for index, item in enumerate(items):
            if isinstance(item, (Reference, list, dict, Stream)):
                stack.append((item, below if index else first))

    def _grow(self, steps: list[Step]) -> None:
        """Least fixpoint: form and page tree first, then annotations, OTHER, and links to nothing known."""
        later: dict[str, list[Step]] = {"ANNOTATION": [], "OTHER": [], "LINK": []}
        while True:
            if steps:
                step = steps.pop()
                if step[1] in later:
                    later[step[1]].append(step)
                    continue
            else:
                waiting = next((queue for queue in later.values() if queue), None)
                if waiting is None:
                    return
                step = waiting.pop()
            self._take(step, steps)

    def _take(self, step: Step, steps: list[Step]) -> None:
        reference, role, owner = step
        number, has = reference.number, self.of(reference.number)
        if role == "LINK":
            if has & _IDENTITY:
                return
            role = "OTHER"
        if role == "OTHER" and has & BITS["PAGE"]:
            return  # a page meant as something else: its own rules are strict enough
        if BITS[role] & IS_FIELD:
            if has & IS_FIELD:
                return
            role, owner = self._field_role(reference, role, owner), number
        if self._add(number, role, owner) and not self._is_field_as_annotation(number, role):
            value = self.document.get(reference)
            self._spread(value, self._content_role(role, value), owner, steps)

    def _field_role(self, reference: Reference, role: str, above: int | None) -> str:
        is_kid = above is not None and bool(self.of(above) & IS_FIELD)
        self.parents[reference.number] = above if is_kid else None
        kind = inherited(self.document.get(reference), "/FT", self.document.now)
        return "SIGNATURE_FIELD" if role == "SIGNATURE_FIELD" or kind == "/Sig" else "FIELD"

    def _add(self, number: int, role: str, owner: int | None) -> bool:
        """Give the object a role; False when it had it already (for this owner)."""
        has, bit = self.of(number), BITS[role]
        if role in OWNED:
            owners = self.owners.setdefault(number, set())
            if has & bit and owner in owners:
                return False
            owners.add(owner)
        elif has & bit:
            return False
        self.bits[number] = has | bit
        return True
