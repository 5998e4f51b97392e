"""Tables of the archive: the journal with its head and checkpoints, and the records.

Times (`…_time`) are microseconds since the epoch, UTC. Rows of `journal`, `checkpoints` and `records` are
written once; only `journal_head` moves, and a checkpoint gets its time-stamp token later.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

METADATA = MetaData()

# On SQLite only the type name INTEGER makes a primary key the row id itself.
_LeafIndex = BigInteger().with_variant(Integer, "sqlite")

journal = Table(
    "journal",
    METADATA,
    Column("leaf_index", _LeafIndex, primary_key=True, autoincrement=False),
    Column("resource", Text, nullable=False),
    Column("entry", LargeBinary, nullable=False, comment="canonical JSON, exactly what the leaf hash covers"),
    Column(
        "node_hashes", LargeBinary, nullable=False, comment="leaf hash, then the subtree roots it completes"
    ),
    Index("journal_resource_leaf_index", "resource", "leaf_index"),
)

journal_head = Table(
    "journal_head",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False, comment="roots of the perfect subtrees, largest first"),
    CheckConstraint("id = 1", name="journal_head_is_one_row"),
)

checkpoints = Table(
    "checkpoints",
    METADATA,
    Column("size", _LeafIndex, primary_key=True, autoincrement=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("note", Text, nullable=False, comment="C2SP signed note"),
    Column("timestamp_token", LargeBinary, nullable=True, comment="RFC 3161 token over SHA-256 of the note"),
    Column("create_time", BigInteger, nullable=False),
)

records = Table(
    "records",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("media_type", String(255), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("archivist", String(255), nullable=False),
    Column("descriptive_record", Text, nullable=False, comment="canonical JSON, Law 135/2007"),
    Column("validation_report", Text, nullable=False, comment="JSON, verdict at the time of archiving"),
    Column("file_code", String(64), nullable=False),
    Column("retention", String(16), nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Index("records_create_time", "create_time", "id"),
    Index("records_sha256", "sha256"),
)
