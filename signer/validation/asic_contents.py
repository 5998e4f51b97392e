"""What is in an ASiC container, read to be judged: its manifests, whether they hold, and what covers what."""

from collections.abc import Sequence
from functools import cached_property

from pecete.errors import InvalidArgumentError
from signer.asic.layout import Layout, StoredManifest
from signer.asic.manifest import Manifest, malformed
from signer.validation.integrity import ContentDigest, octets_digest


class Contents:
    """A container's manifests and files.

    Archive manifests and their time-stamps, the earliest first, have the positions 1, 2 and so on.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.container = layout.container
        self._digests: dict[tuple[str, str], bytes] = {}

    @cached_property
    def manifests(self) -> dict[str, StoredManifest]:
        """The readable manifests by the names of the signatures and time-stamps over them.

        Raises InvalidArgumentError MANIFEST_MALFORMED where two name the same.
        """
        found: dict[str, StoredManifest] = {}
        for name in self.layout.manifest_names:
            stored = self.read_manifest(name)
            if stored is not None:
                if stored.manifest.signature in found:
                    raise malformed("two manifests name the same signature")
                found[stored.manifest.signature] = stored
        return found

    @cached_property
    def unreadable(self) -> tuple[bytes, ...]:
        """The octets of manifests that cannot be followed."""
        readable = {stored.name for stored in self.manifests.values()}
        return tuple(self.container.read(name) for name in self.layout.manifest_names if name not in readable)

    def read_manifest(self, name: str) -> StoredManifest | None:
        """A manifest; None where it cannot be followed. Raises CONTAINER_DAMAGED."""
        try:
            return self.layout.manifest(name)
        except InvalidArgumentError as error:
            if error.reason != "MANIFEST_MALFORMED":
                raise
            return None

    def covered_from(self, parts: Sequence[str], first: int = 0) -> int:
        """Position of something among the archive manifests: it is over by the next and all that follow.

        0 where the newest does not cover it. parts: names of all that it needs to be judged. first: the
        earliest that could.
        """
        position = 0
        manifests = self.layout.archive_manifests
        for number in range(len(manifests) - 1, first - 1, -1):
            if not all(manifests[number].manifest.find(part) for part in parts):
                break
            position = number + 1
        return position

    def matches(self, manifest: Manifest) -> bool | None:
        """Whether all files are as the manifest says; None where one is missing and the rest is right."""
        answers = [self._match(each.name, each.digest_algorithm, each.digest) for each in manifest.references]
        if False in answers:
            return False
        return None if None in answers else True

    def file_digest(self, name: str) -> ContentDigest:
        """Gives the digests of a file; None where there is no such file."""

        def digest(algorithm: str) -> bytes | None:
            member = self.container.find(name)
            if member is None:
                return None
            key = name, algorithm
            if key not in self._digests:
                self._digests[key] = self.container.digest(member, algorithm)
            return self._digests[key]

        return digest

    def manifest_digest(self, stored: StoredManifest) -> ContentDigest:
        """What a time-stamp over a manifest must be over: nothing can be where a file is not as it says."""
        matches = self.matches(stored.manifest)
        if matches:
            return octets_digest(stored.octets)
        return lambda _: None if matches is None else b""

    def _match(self, name: str, algorithm: str, digest: bytes) -> bool | None:
        if self.container.find(name) is None:
            return None
        return bool(algorithm) and self.file_digest(name)(algorithm) == digest


def parts_of(name: str, stored: StoredManifest) -> list[str]:
    """Everything that the signature or time-stamp of a name needs to be judged, by name."""
    return [name, stored.name, *(reference.name for reference in stored.manifest.references)]
