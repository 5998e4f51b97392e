"""From the certificates of the Official Journal to the list of trusted lists (ETSI TS 119 615 §4.2).

The Commission's list names its former editions in which its signing certificates changed, the *pivots*. Each
is signed with certificates that the one before it names; the oldest with those of the Official Journal.
"""

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from signer.validation.trusted_lists.acceptance import Known, accept, refused
from signer.validation.trusted_lists.model import LIST_OF_LISTS, NATIONAL_LIST, Pointer, TrustedList
from signer.validation.trusted_lists.reading import read_list

MOST_PIVOTS = 32
"""Most pivots that are followed; the Official Journal begins anew long before."""

_MEDIA_TYPE = "application/vnd.etsi.tsl+xml"


def pivot_locations(lotl: bytes, location: str, official_journal: str) -> tuple[str, ...]:
    """Addresses of the pivots of a list of lists that nobody has verified yet, the oldest first.

    location: where the list was got; pivots are looked for at that server alone, as a stranger may have
    written the list. official_journal: address of the publication whose certificates are configured; pivots
    that are older than it do not count. With "" all do.
    Raises InvalidArgumentError TRUSTED_LIST_REANCHORED where the list names other publications alone,
    TRUSTED_LIST_PIVOT_ELSEWHERE, and what `read_list` raises.
    """
    uris = read_list(lotl).information_uris
    if official_journal:
        if official_journal not in uris:
            raise refused(
                "REANCHORED",
                "The list of trusted lists does not name the publication in the Official Journal whose "
                "certificates are configured.",
            )
        uris = uris[: uris.index(official_journal)]
    pivots = tuple(reversed([uri for uri in uris if uri.endswith(".xml")]))
    if len(pivots) > MOST_PIVOTS or any(_server(pivot) != _server(location) for pivot in pivots):
        raise refused("PIVOT_ELSEWHERE", "The list of trusted lists names pivots that are not its own.")
    return pivots


def accept_list_of_lists(
    lotl: bytes,
    pivots: Sequence[bytes],
    signers: Sequence[bytes],
    *,
    time: datetime,
    known: Known | None = None,
) -> TrustedList:
    """Believe the list of lists through its pivots, the oldest first, or refuse it.

    signers: certificates (DER) of the Official Journal. Each pivot is judged as of its own issue time. Raises
    what `accept` raises, InvalidArgumentError TRUSTED_LIST_WRONG_TYPE and TRUSTED_LIST_ROLLED_BACK.
    """
    allowed = tuple(signers)
    before: Known | None = None
    for document in pivots:
        pivot = _require_list_of_lists(accept(document, allowed, time=None, known=before))
        allowed, before = own_signers(pivot), Known(pivot.sequence_number, pivot.issue_time)
    newest = max((each for each in (before, known) if each), key=_age, default=None)
    return _require_list_of_lists(accept(lotl, allowed, time=time, known=newest))


def _age(known: Known) -> tuple[int, datetime]:
    return known.sequence_number, known.issue_time


def _require_list_of_lists(found: TrustedList) -> TrustedList:
    if found.type != LIST_OF_LISTS:
        raise refused("WRONG_TYPE", "This is not a list of trusted lists.")
    return found


def own_signers(lotl: TrustedList) -> tuple[bytes, ...]:
    """The certificates that a list of lists names for itself."""
    return tuple(
        signer for pointer in lotl.pointers if pointer.type == LIST_OF_LISTS for signer in pointer.signers
    )


def national_pointers(lotl: TrustedList) -> tuple[Pointer, ...]:
    """Pointers to the member states' lists, in the form that machines read."""
    return tuple(
        pointer
        for pointer in lotl.pointers
        if pointer.type == NATIONAL_LIST and pointer.media_type == _MEDIA_TYPE
    )


def accept_national(
    document: bytes,
    pointer: Pointer,
    *,
    time: datetime,
    known: Known | None = None,
) -> TrustedList:
    """Believe a member state's list as its pointer says, or refuse it.

    Raises what `accept` raises, and InvalidArgumentError TRUSTED_LIST_WRONG_TYPE.
    """
    found = accept(document, pointer.signers, time=time, known=known)
    if found.type != pointer.type or found.territory != pointer.territory:
        raise refused("WRONG_TYPE", "This is the trusted list of another scheme.")
    return found


def _server(location: str) -> tuple[str, str]:
    parts = urlsplit(location)
    return parts.scheme, parts.netloc
