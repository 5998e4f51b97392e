"""Time as the tables store it (microseconds since the epoch, UTC) and as the wire carries it."""

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_now() -> datetime:
    """Give the present time, aware, in UTC."""
    return datetime.now(UTC)


def microseconds(time: datetime) -> int:
    """Give an aware time as microseconds since the epoch, exactly."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(value: int) -> datetime:
    """Give the aware time of microseconds since the epoch, exactly."""
    return _EPOCH + timedelta(microseconds=value)


def timestamp(value: int) -> Timestamp:
    """Give microseconds since the epoch as the wire's Timestamp."""
    return Timestamp(seconds=value // 1_000_000, nanos=value % 1_000_000 * 1000)


def timestamp_of(time: datetime) -> Timestamp:
    """Give an aware time as the wire's Timestamp."""
    return timestamp(microseconds(time))
