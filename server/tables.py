"""Tables of who may call: principals and the credentials by which they are known."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, MetaData, String, Table, Text

METADATA = MetaData()

principals = Table(
    "principals",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("roles", Text, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("revoke_time", BigInteger),
)

credentials = Table(
    "credentials",
    METADATA,
    Column("sha256", LargeBinary(32), primary_key=True),
    Column("principal", String(64), ForeignKey("principals.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Index("credentials_principal", "principal"),
)
