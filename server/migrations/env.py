"""What Alembic runs: the migrations, in the transaction that `server.migrations` has opened."""

from alembic import context

from server.schema import METADATA

_TABLES = frozenset(name for metadata in METADATA for name in metadata.tables)


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """The job queue keeps tables of its own beside ours; they are none of this history."""
    return kind != "table" or name in _TABLES


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    include_name=_is_ours,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
