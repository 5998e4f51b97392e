"""First tables.

Revision 0001, the first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step."""
    op.create_table(
        "principals",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("revoke_time", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "credentials",
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("principal", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["principal"],
            ["principals.id"],
        ),
        sa.PrimaryKeyConstraint("sha256"),
    )
    with op.batch_alter_table("credentials", schema=None) as batch_op:
        batch_op.create_index("credentials_principal", ["principal"], unique=False)

    op.create_table(
        "documents",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(length=255), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("expire_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("documents", schema=None) as batch_op:
        batch_op.create_index("documents_expire_time", ["expire_time"], unique=False)
        batch_op.create_index("documents_sha256", ["sha256"], unique=False)

    op.create_table(
        "answered_requests",
        sa.Column("principal", sa.String(length=255), nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=False),
        sa.Column("method", sa.String(length=128), nullable=False),
        sa.Column("request_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("principal", "request_id"),
    )
    with op.batch_alter_table("answered_requests", schema=None) as batch_op:
        batch_op.create_index("answered_requests_create_time", ["create_time"], unique=False)

    op.create_table(
        "timestamps",
        sa.Column(
            "serial",
            sa.LargeBinary(length=20),
            nullable=False,
            comment="serialNumber, big-endian; unique for ever",
        ),
        sa.Column(
            "request_digest", sa.LargeBinary(length=32), nullable=False, comment="SHA-256 of the TimeStampReq"
        ),
        sa.Column("gen_time", sa.BigInteger(), nullable=False),
        sa.Column("policy", sa.String(length=255), nullable=False, comment="dotted object identifier"),
        sa.Column("client", sa.String(length=255), nullable=False),
        sa.Column(
            "clock", sa.String(length=255), nullable=False, comment="what stood behind genTime at that moment"
        ),
        sa.Column("token", sa.LargeBinary(), nullable=False, comment="TimeStampToken, DER"),
        sa.PrimaryKeyConstraint("serial"),
    )
    with op.batch_alter_table("timestamps", schema=None) as batch_op:
        batch_op.create_index("timestamps_gen_time", ["gen_time"], unique=False)

    op.create_table(
        "checkpoints",
        sa.Column(
            "size", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("note", sa.Text(), nullable=False, comment="C2SP signed note"),
        sa.Column(
            "timestamp_token",
            sa.LargeBinary(),
            nullable=True,
            comment="RFC 3161 token over SHA-256 of the note",
        ),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("size"),
    )
    op.create_table(
        "journal",
        sa.Column(
            "leaf_index",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column(
            "entry",
            sa.LargeBinary(),
            nullable=False,
            comment="canonical JSON, exactly what the leaf hash covers",
        ),
        sa.Column(
            "node_hashes",
            sa.LargeBinary(),
            nullable=False,
            comment="leaf hash, then the subtree roots it completes",
        ),
        sa.PrimaryKeyConstraint("leaf_index"),
    )
    with op.batch_alter_table("journal", schema=None) as batch_op:
        batch_op.create_index("journal_resource_leaf_index", ["resource", "leaf_index"], unique=False)

    op.create_table(
        "journal_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column(
            "frontier",
            sa.LargeBinary(),
            nullable=False,
            comment="roots of the perfect subtrees, largest first",
        ),
        sa.CheckConstraint("id = 1", name="journal_head_is_one_row"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "records",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("archivist", sa.String(length=255), nullable=False),
        sa.Column("descriptive_record", sa.Text(), nullable=False, comment="canonical JSON, Law 135/2007"),
        sa.Column(
            "validation_report", sa.Text(), nullable=False, comment="JSON, verdict at the time of archiving"
        ),
        sa.Column("file_code", sa.String(length=64), nullable=False),
        sa.Column("retention", sa.String(length=16), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("records", schema=None) as batch_op:
        batch_op.create_index("records_create_time", ["create_time", "id"], unique=False)
        batch_op.create_index("records_sha256", ["sha256"], unique=False)

    op.create_table(
        "persons",
        sa.Column("id", sa.String(length=63), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("principal", sa.String(length=255), nullable=False),
        sa.Column("certificates", sa.Text(), nullable=False),
        sa.Column("creator", sa.String(length=255), nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("principal"),
    )
    with op.batch_alter_table("persons", schema=None) as batch_op:
        batch_op.create_index("persons_request", ["creator", "request_id"], unique=True)

    op.create_table(
        "procedures",
        sa.Column("id", sa.String(length=63), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("steps", sa.Text(), nullable=False),
        sa.Column("creator", sa.String(length=255), nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("procedures", schema=None) as batch_op:
        batch_op.create_index("procedures_request", ["creator", "request_id"], unique=True)

    op.create_table(
        "dossiers",
        sa.Column("id", sa.String(length=63), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("procedure", sa.String(length=63), nullable=False),
        sa.Column("original_document", sa.String(length=255), nullable=False),
        sa.Column("document", sa.String(length=255), nullable=False),
        sa.Column("creator", sa.String(length=255), nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("update_time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["procedure"],
            ["procedures.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("dossiers", schema=None) as batch_op:
        batch_op.create_index("dossiers_document", ["document"], unique=False)
        batch_op.create_index("dossiers_newest", ["create_time", "id"], unique=False)
        batch_op.create_index("dossiers_request", ["creator", "request_id"], unique=True)

    op.create_table(
        "dossier_steps",
        sa.Column("dossier", sa.String(length=63), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("post", sa.String(length=63), nullable=False),
        sa.Column("capacity", sa.Text(), nullable=False),
        sa.Column("person", sa.String(length=63), nullable=False),
        sa.Column("sign_time", sa.BigInteger(), nullable=True),
        sa.Column("principal", sa.String(length=255), nullable=True),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.Column("certificate_sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("signing_key", sa.String(length=255), nullable=True),
        sa.Column("field_name", sa.Text(), nullable=True),
        sa.Column("level", sa.String(length=32), nullable=True),
        sa.Column("claimed_time", sa.BigInteger(), nullable=True),
        sa.Column("timestamp_token", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["dossier"],
            ["dossiers.id"],
        ),
        sa.ForeignKeyConstraint(
            ["person"],
            ["persons.id"],
        ),
        sa.PrimaryKeyConstraint("dossier", "number"),
    )
    with op.batch_alter_table("dossier_steps", schema=None) as batch_op:
        batch_op.create_index("dossier_steps_request", ["principal", "request_id"], unique=True)

    head = sa.table("journal_head", sa.column("id"), sa.column("size"), sa.column("frontier", sa.LargeBinary))
    op.bulk_insert(head, [{"id": 1, "size": 0, "frontier": b""}])


def downgrade() -> None:
    """Take the step back."""
    with op.batch_alter_table("dossier_steps", schema=None) as batch_op:
        batch_op.drop_index("dossier_steps_request")

    op.drop_table("dossier_steps")
    with op.batch_alter_table("dossiers", schema=None) as batch_op:
        batch_op.drop_index("dossiers_request")
        batch_op.drop_index("dossiers_newest")
        batch_op.drop_index("dossiers_document")

    op.drop_table("dossiers")
    with op.batch_alter_table("procedures", schema=None) as batch_op:
        batch_op.drop_index("procedures_request")

    op.drop_table("procedures")
    with op.batch_alter_table("persons", schema=None) as batch_op:
        batch_op.drop_index("persons_request")

    op.drop_table("persons")
    with op.batch_alter_table("records", schema=None) as batch_op:
        batch_op.drop_index("records_sha256")
        batch_op.drop_index("records_create_time")

    op.drop_table("records")
    op.drop_table("journal_head")
    with op.batch_alter_table("journal", schema=None) as batch_op:
        batch_op.drop_index("journal_resource_leaf_index")

    op.drop_table("journal")
    op.drop_table("checkpoints")
    with op.batch_alter_table("timestamps", schema=None) as batch_op:
        batch_op.drop_index("timestamps_gen_time")

    op.drop_table("timestamps")
    with op.batch_alter_table("answered_requests", schema=None) as batch_op:
        batch_op.drop_index("answered_requests_create_time")

    op.drop_table("answered_requests")
    with op.batch_alter_table("documents", schema=None) as batch_op:
        batch_op.drop_index("documents_sha256")
        batch_op.drop_index("documents_expire_time")

    op.drop_table("documents")
    with op.batch_alter_table("credentials", schema=None) as batch_op:
        batch_op.drop_index("credentials_principal")

    op.drop_table("credentials")
    op.drop_table("principals")
