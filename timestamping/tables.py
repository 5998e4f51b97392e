"""Table of the time-stamping authority: every token that ever left it, written once.

Times (`…_time`) are microseconds since the epoch, UTC.
"""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, String, Table

METADATA = MetaData()

timestamps = Table(
    "timestamps",
    METADATA,
    Column("serial", LargeBinary(20), primary_key=True, comment="serialNumber, big-endian; unique for ever"),
    Column("request_digest", LargeBinary(32), nullable=False, comment="SHA-256 of the TimeStampReq"),
    Column("gen_time", BigInteger, nullable=False),
    Column("policy", String(255), nullable=False, comment="dotted object identifier"),
    Column("client", String(255), nullable=False),
    Column("clock", String(255), nullable=False, comment="what stood behind genTime at that moment"),
    Column("token", LargeBinary, nullable=False, comment="TimeStampToken, DER"),
    Index("timestamps_gen_time", "gen_time"),
)
