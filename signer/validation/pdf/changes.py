"""What each revision of a PDF changes, in one pass over the file.

The base is walked once for roles; after that only written objects are looked at. An object that was there
before, or was referred to before, is compared with its former value under every role that it has. A new
object is judged where a slot starts to refer to it. What no rule explains is forbidden.
"""

from collections.abc import Callable
from dataclasses import dataclass

from signer.validation.pdf import document_rules, form_rules, store_rules
from signer.validation.pdf.comparer import ChangeLog, Comparer, Level
from signer.validation.pdf.layout import Revision
from signer.validation.pdf.mapped import Buffer
from signer.validation.pdf.revisions import Document
from signer.validation.pdf.roles import BITS, RoleMap
from signer.validation.pdf.values import Dictionary, Reference, Value, same

_RULES = {**document_rules.RULES, **form_rules.RULES, **store_rules.RULES}
HYBRID = "hybrid cross-reference: older readers see another document"

Watch = Callable[[Document, Level], None]
"""Is told of a revision: the document that has just stepped to it, and how far its changes go."""
_WORDS = {
    "CATALOG": "catalog",
    "PAGE": "page",
    "FIELD": "field",
    "SIGNATURE_FIELD": "signature field",
    "VALUE": "value of a field",
    "OTHER": "content",
}


@dataclass
class _Written:
    """An object that a revision writes: its value before and now, and the roles that it had before.

    renumbered: references to it by its former generation have become null.
    """

    former: Value
    present: Value
    roles: int
    renumbered: bool


class ChangeAnalysis:
    """The changes of all revisions of a document, which is read to its end.

    logs: one for each revision; the first, of the base, stays empty. watch: is told of each later revision
    while the document stands at it. Raises PdfSyntaxError.
    """

    def __init__(self, data: Buffer, watch: Watch | None = None) -> None:
        self.document = Document(data)
        self.roles = RoleMap(self.document)
        self.logs: list[ChangeLog] = []
        self._watch = watch
        self._comparer = Comparer(self.document, self.roles, _RULES)
        for _ in self.document.revisions:
            self._next()

    def _next(self) -> None:
        former_trailer = self.document.trailer
        revision = self.document.step()
        self.logs.append(self._comparer.begin())
        if self.document.position == 0:
            self.roles.learn([(self.document.trailer, "TRAILER", None)])
        else:
            self._judge(revision, former_trailer)
            if self._watch is not None:
                self._watch(self.document, self.logs[-1].level)

    def _judge(self, revision: Revision, former_trailer: Dictionary) -> None:
        written, freed = self._written()
        starts: list[tuple[Value, str, int | None]] = [(self.document.trailer, "TRAILER", None)]
        for number, item in written.items():
            starts += self.roles.reread(number, item.present)
        self.roles.learn(starts)
        self._note_structure(revision, freed, bool(written))
        self._comparer.rules["TRAILER"](
            self._comparer, former_trailer, self.document.trailer, None, "trailer"
        )
        for number, item in written.items():
            self._compare(number, item)

    def _written(self) -> tuple[dict[int, _Written], list[int]]:
        """Objects whose value or generation differs from before, and those that were freed."""
        written, freed = {}, []
        for number, (entry, former) in self.document.replaced.items():
            now = self.document.entries[number]
            present = self.document.get(Reference(number, now.generation)) if now.kind != "free" else None
            if now.kind == "free" and former is not None:
                freed.append(number)
            renumbered = (
                former is not None
                and now.kind != "free"
                and entry is not None
                and entry.generation != now.generation
            )
            if former is None or former != present or renumbered:
                written[number] = _Written(former, present, self.roles.of(number), renumbered)
        return written, freed

    def _note_structure(self, revision: Revision, freed: list[int], wrote: bool) -> None:
        log = self.logs[-1]
        for oddity in revision.oddities:
            log.forbid(oddity)
        if revision.hybrid:
            log.find(Level.EXTENSION, HYBRID)
        if self.document.unreadable and wrote:
            log.forbid("objects that cannot be read: " + _some(sorted(self.document.unreadable)))
        for number in freed:
            log.forbid(f"object {number} was freed")

    def _compare(self, number: int, item: _Written) -> None:
        if not item.roles:
            # A new object is judged by the slot that refers to it; a forgotten one must not be reused.
            if item.former is not None and self.roles.of(number):
                self.logs[-1].forbid(f"object {number}, which nothing used, was taken for something else")
            return
        roles = item.roles if item.former is None else self.roles.of(number)
        if item.renumbered:
            self.logs[-1].forbid(f"object {number} got another generation")
        if same(item.former, item.present):
            return
        for role, bit in BITS.items():
            if roles & bit:
                where = f"{_WORDS.get(role, role.lower().replace('_', ' '))} (object {number})"
                self._comparer.compare(role, item.former, item.present, number, where)


def _some(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:5])) + (" …" if len(numbers) > 5 else "")
