"""Object streams (ISO 32000-2 §7.5.7): many objects in one stream, behind an index."""

from dataclasses import dataclass

from signer.validation.pdf.objects import decoded
from signer.validation.pdf.values import PdfSyntaxError, Stream, Value, parse_value


@dataclass(frozen=True)
class ObjectStream:
    """The plain bytes of an object stream, where its first object stands, and (number, offset) of each."""

    plain: bytes
    first: int
    index: tuple[tuple[int, int], ...]

    def read(self, place: int, number: int, duplicates: list[int]) -> Value:
        """The object at a place of the index. Raises PdfSyntaxError where it is not that number's."""
        if place >= len(self.index) or self.index[place][0] != number:
            raise PdfSyntaxError("another object")
        return parse_value(self.plain, self.first + self.index[place][1], duplicates)[0]


def read_object_stream(value: Value) -> ObjectStream:
    """Unpack an object stream. Raises PdfSyntaxError."""
    if not isinstance(value, Stream) or value.dictionary.get("/Type") != "/ObjStm":
        raise PdfSyntaxError("no object stream")
    first, count = value.dictionary.get("/First"), value.dictionary.get("/N")
    if not isinstance(first, int) or not isinstance(count, int) or first < 0 or count < 0:
        raise PdfSyntaxError("bad object stream")
    plain = decoded(value)
    head = plain[:first].split()[: 2 * count]
    if len(head) != 2 * count or not all(item.isdigit() and len(item) < 12 for item in head):
        raise PdfSyntaxError("bad index of an object stream")
    numbers = list(map(int, head))
    if len(set(numbers[::2])) != len(numbers[::2]):
        raise PdfSyntaxError("an object twice in an object stream")
    return ObjectStream(plain, first, tuple(zip(numbers[::2], numbers[1::2], strict=True)))
