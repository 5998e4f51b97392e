"""Where a validation report is written as a file."""

from collections.abc import Sequence
from pathlib import Path

from pecete.errors import InvalidArgumentError


def check_output(output: Path | None, files: Sequence[Path], formats: Sequence[str]) -> None:
    """Refuse a file for several reports, for none, or one that is judged itself.

    Raises InvalidArgumentError OUTPUT_AMBIGUOUS or OUTPUT_IS_INPUT.
    """
    if output is None:
        return
    if len(files) != 1 or len(formats) != 1:
        raise InvalidArgumentError(
            "OUTPUT_AMBIGUOUS", "A path is for one report of one file; name one form with it.", field="output"
        )
    if output.resolve() == files[0].resolve():
        raise InvalidArgumentError(
            "OUTPUT_IS_INPUT", "The report would replace the document.", field="output"
        )


def report_path(file: Path, extension: str) -> Path:
    """Give the path of a report beside its document."""
    return file.with_name(f"{file.name}.report.{extension}")


def write_report(path: Path, content: bytes) -> None:
    """Write a report. Raises InvalidArgumentError OUTPUT_UNWRITABLE."""
    try:
        path.write_bytes(content)
    except OSError:
        raise InvalidArgumentError(
            "OUTPUT_UNWRITABLE", f"The report cannot be written to {path}.", field="output"
        ) from None
