"""What a signer commits to: the signed attribute commitment-type-indication (EN 319 122-1 §5.2.3)."""

from enum import IntEnum

_BEFORE_THE_LAST_ARC = bytes.fromhex("301e060b2a864886f70d0109100210310f300d060b2a864886f70d01091006")
"""An Attribute id-aa-ets-commitmentType with the type 1.2.840.113549.1.9.16.6.x alone, up to x."""


class CommitmentType(IntEnum):
    """The commitment types of EN 319 122-1 §5.2.3 by the last arc of their object identifier."""

    PROOF_OF_ORIGIN = 1
    PROOF_OF_RECEIPT = 2
    PROOF_OF_DELIVERY = 3
    PROOF_OF_SENDER = 4
    PROOF_OF_APPROVAL = 5
    PROOF_OF_CREATION = 6

    @property
    def attribute(self) -> bytes:
        """The signed attribute, DER."""
        return _BEFORE_THE_LAST_ARC + bytes((self,))


def commitment_attributes(commitment: CommitmentType | None) -> tuple[bytes, ...]:
    """The attributes, DER, that state a commitment: one or none."""
    return () if commitment is None else (commitment.attribute,)


def stated_commitment(signed_attributes: bytes) -> CommitmentType | None:
    """The commitment in signed attributes of our own making; others are not parsed here."""
    return next((known for known in CommitmentType if known.attribute in signed_attributes), None)
