"""Files that are small and become large when they are read, and deeds that end the process that reads."""

import io
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

MIB = 1024 * 1024


def bomb() -> bytes:
    """Write a PDF whose cross-reference stream unpacks to 4 GiB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(bytes(16 * MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    stream = b"\x78\x9c" + 256 * block
    catalog = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
    return (
        catalog
        + b"3 0 obj\n<< /Type /XRef /Size 400000000 /W [1 8 2] /Root 1 0 R /Filter /FlateDecode"
        + b" /Length %d >>\nstream\n" % len(stream)
        + stream
        + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % len(catalog)
    )


def zip_bomb() -> bytes:
    """Write a container whose one file unpacks to 256 MiB."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.etsi.asic-e+zip", zipfile.ZIP_STORED)
        with archive.open("zeros.bin", "w") as member:
            for _ in range(16):
                member.write(bytes(16 * MIB))
    return out.getvalue()


@dataclass(frozen=True)
class Deed:
    """What a document could provoke, in place of judging it under a policy."""

    function: Callable[..., object]
    arguments: tuple[object, ...]

    def __call__(self, policy: object) -> object:
        return self.function(*self.arguments)


def deed(function: Callable[..., object], *arguments: object) -> partial[object]:
    """A task for a worker."""
    return partial(Deed(function, arguments))
