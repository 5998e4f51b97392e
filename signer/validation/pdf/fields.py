"""Form fields and signature dictionaries as values (ISO 32000-2 §12.7): names, inheritance, visibility."""

from signer.validation.pdf.values import Dictionary, Look, Value, text

_MAX_ANCESTORS = 30
_NOT_ON_SCREEN = 2 | 32


def inherited(field: Value, key: str, look: Look) -> Value:
    """The entry `key` of a field, its own or of the nearest field above it that has one."""
    for _ in range(_MAX_ANCESTORS):
        if not isinstance(field, dict):
            return None
        if field.get(key) is not None:
            return look(field[key])
        field = look(field.get("/Parent"))
    return None


def full_name(field: Value, look: Look) -> str:
    """Fully qualified name (§12.7.4.2)."""
    parts: list[str] = []
    for _ in range(_MAX_ANCESTORS):
        if not isinstance(field, dict):
            break
        part = look(field.get("/T"))
        if isinstance(part, bytes):
            parts.append(text(part))
        field = look(field.get("/Parent"))
    return ".".join(reversed(parts))


def is_visible(widget: Dictionary, look: Look) -> bool:
    """Whether the widget's rectangle has an area."""
    rectangle = look(widget.get("/Rect"))
    sides = [look(side) for side in rectangle] if isinstance(rectangle, list) else []
    numbers = [side for side in sides if isinstance(side, (int, float))]
    return len(numbers) == len(sides) == 4 and numbers[0] != numbers[2] and numbers[1] != numbers[3]


def is_hidden(field: Dictionary, look: Look) -> bool:
    """Whether a flag of one of the field's widgets keeps it from the screen (§12.5.3)."""
    kids = look(field.get("/Kids"))
    widgets = [field, *map(look, kids)] if isinstance(kids, list) else [field]
    flags = [look(widget.get("/F")) for widget in widgets if isinstance(widget, dict)]
    return any(isinstance(flag, int) and flag & _NOT_ON_SCREEN for flag in flags)


def is_document_timestamp(signature: Value) -> bool:
    """Whether a signature dictionary says that it is a document time-stamp (EN 319 142-1 §5.4.3)."""
    return (
        isinstance(signature, dict)
        and signature.get("/Type") == "/DocTimeStamp"
        and signature.get("/SubFilter") == "/ETSI.RFC3161"
    )
