"""The refusals of an RFC 3161 authority: each carries its PKIFailureInfo bit and becomes a TimeStampResp."""

from enum import IntEnum
from typing import ClassVar

from pecete.errors import InvalidArgumentError, PeceteError, UnavailableError


class FailureInfo(IntEnum):
    """Bits of PKIFailureInfo (RFC 3161 §2.4.2)."""

    BAD_ALG = 0
    BAD_REQUEST = 2
    BAD_DATA_FORMAT = 5
    TIME_NOT_AVAILABLE = 14
    UNACCEPTED_POLICY = 15
    UNACCEPTED_EXTENSION = 16
    SYSTEM_FAILURE = 25


class RefusalError(PeceteError):
    """No token is given. `message` is what the statusString says."""

    failure_info: ClassVar[FailureInfo]


class BadAlgError(RefusalError, InvalidArgumentError):
    """The hash algorithm is unknown or weak."""

    failure_info = FailureInfo.BAD_ALG


class BadRequestError(RefusalError, InvalidArgumentError):
    """The request is readable and asks for something that does not exist here."""

    failure_info = FailureInfo.BAD_REQUEST


class BadDataFormatError(RefusalError, InvalidArgumentError):
    """The bytes are not a DER TimeStampReq, or the imprint is not as long as its algorithm says."""

    failure_info = FailureInfo.BAD_DATA_FORMAT


class TimeNotAvailableError(RefusalError, UnavailableError):
    """The clock cannot be trusted now."""

    failure_info = FailureInfo.TIME_NOT_AVAILABLE


class UnacceptedPolicyError(RefusalError, InvalidArgumentError):
    """The policy asked for is not one of this authority."""

    failure_info = FailureInfo.UNACCEPTED_POLICY


class UnacceptedExtensionError(RefusalError, InvalidArgumentError):
    """The request carries an extension, and none is supported (critical or not)."""

    failure_info = FailureInfo.UNACCEPTED_EXTENSION


class SystemFailureError(RefusalError, UnavailableError):
    """The authority failed: its key, its record, its certificate. Its log says how."""

    failure_info = FailureInfo.SYSTEM_FAILURE
