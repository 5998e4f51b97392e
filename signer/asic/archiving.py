"""Level B-LTA of an ASiC-E: an archive manifest over all members, time-stamped (EN 319 162-1 Annex A).

Renewal keeps the manifest before, under a name with a number, as the root file of the new one. What proves
the last time-stamp goes into that time-stamp itself before it is covered.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from signer import cms
from signer.algorithms import DigestName
from signer.asic.container import MIMETYPE, Container, open_container
from signer.asic.layout import Layout
from signer.asic.manifest import (
    ARCHIVE_MANIFEST,
    TIMESTAMP_TYPE,
    Manifest,
    Reference,
    free_number,
    write_manifest,
)
from signer.asic.writing import NewMember, changed_container
from signer.pieces import Piece

TIMESTAMP_DIGEST: DigestName = "sha256"
"""What the time-stamp's messageImprint is made with."""

_EARLIER = "META-INF/ASiCArchiveManifest{:03}.xml"
_TIMESTAMP = "META-INF/timestamp{:03}.tst"


@dataclass(frozen=True)
class PreparedArchiving:
    """An archive manifest over which a token is to be made, and the name of that token.

    earlier: the manifest before it, which is kept under another name; None where this is the first.
    """

    octets: bytes
    timestamp_name: str
    earlier: NewMember | None

    @property
    def imprint(self) -> bytes:
        """What is stamped: the manifest's digest by TIMESTAMP_DIGEST."""
        return hashlib.new(TIMESTAMP_DIGEST, self.octets).digest()


def prepare_archiving(path: Path) -> PreparedArchiving:
    """The archive manifest over all members of the ASiC-E at `path`. Raises what reading it raises."""
    with open_container(path) as container:
        return _prepared(container)


def _prepared(container: Container) -> PreparedArchiving:
    layout = Layout(container)
    names = container.meta_names
    earlier = None
    if layout.archive_manifests:
        earlier = NewMember(
            _EARLIER.format(free_number(names, _EARLIER)), layout.archive_manifests[-1].octets
        )
    mime_types = _stated_types(layout)
    references = []
    for member in container.members:
        if member.name == MIMETYPE or member.is_folder:
            continue
        is_earlier = member.name == ARCHIVE_MANIFEST
        name = earlier.name if earlier and is_earlier else member.name
        digest = container.digest(member, TIMESTAMP_DIGEST)
        references.append(
            Reference(name, mime_types.get(member.name, ""), TIMESTAMP_DIGEST, digest, is_earlier)
        )
    timestamp = _TIMESTAMP.format(free_number(names, _TIMESTAMP))
    octets = write_manifest(Manifest(timestamp, tuple(references)), TIMESTAMP_TYPE)
    return PreparedArchiving(octets, timestamp, earlier)


def finish_archiving(
    path: Path, prepared: PreparedArchiving, token: bytes, time: datetime
) -> tuple[Piece, ...]:
    """The ASiC-E at `path` with the manifest and a TimeStampToken (DER) over its imprint.

    Raises InvalidArgumentError TIMESTAMP_TOKEN_MALFORMED or TIMESTAMP_TOKEN_MISMATCH; as `changed_container`.
    """
    cms.check_message_imprint(token, TIMESTAMP_DIGEST, prepared.imprint)
    members = [NewMember(ARCHIVE_MANIFEST, prepared.octets), NewMember(prepared.timestamp_name, token)]
    if prepared.earlier:
        members.insert(0, prepared.earlier)
    with open_container(path) as container:
        return changed_container(path, container, members, time)


def _stated_types(layout: Layout) -> dict[str, str]:
    """Media types by member, as the manifests of the signatures state them."""
    return {
        reference.name: reference.mime_type
        for stored in layout.manifests.values()
        for reference in stored.manifest.references
    }
