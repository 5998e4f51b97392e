"""The database's one history for SQLite and PostgreSQL, and its present place in it."""

import io
from pathlib import Path
from typing import cast

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, text

from pecete.errors import FailedPreconditionError
from server.database import Database

_ADVISORY_KEY = 0x5045434554450001
"""What PostgreSQL locks while a server migrates: „PECETE” and 1."""


def upgrade(database: Database) -> str:
    """Bring the database to the newest revision, all or nothing, and give the revision.

    Two servers that start together do not migrate together. Raises as `Database.begin`.
    """
    with database.begin() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_KEY})
        command.upgrade(_config(connection), "head")
    return newest()


def current(database: Database) -> str | None:
    """Give the database's revision; None: an empty one. Raises as `Database.read`."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest() -> str:
    """Give the revision that this version of the service needs."""
    return ScriptDirectory.from_config(_config(None)).get_current_head() or ""


def require_newest(database: Database) -> None:
    """Refuse to go on with a database of another revision.

    Raises FailedPreconditionError DATABASE_NOT_MIGRATED or DATABASE_TOO_NEW, with both revisions as metadata.
    """
    found, wanted = current(database), newest()
    if found == wanted:
        return
    metadata = {"found": found or "none", "wanted": wanted}
    known = {script.revision for script in ScriptDirectory.from_config(_config(None)).walk_revisions()}
    if found is None or found in known:
        raise FailedPreconditionError(
            "DATABASE_NOT_MIGRATED",
            "The database is not at this version's revision; run `pecete-server migrate`.",
            field="database.url",
            metadata=metadata,
        )
    raise FailedPreconditionError(
        "DATABASE_TOO_NEW",
        "The database was migrated by a newer version of the service.",
        field="database.url",
        metadata=metadata,
    )


def write_revision(database: Database, message: str) -> Path:
    """Write the step from the newest revision to the present tables as a new file, for review."""
    upgrade(database)
    with database.begin() as connection:
        number = len(list(ScriptDirectory.from_config(_config(None)).walk_revisions())) + 1
        script = command.revision(_config(connection), message, autogenerate=True, rev_id=f"{number:04}")
    return Path(cast("Script", script).path)


def _config(connection: Connection | None) -> Config:
    """Alembic without its ini file: the way to the scripts, and the transaction to work in."""
    config = Config(stdout=io.StringIO())
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
