"""`pecete-server fsck`: everything that is kept, recomputed."""

import sqlite3
import sys

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from sqlalchemy import Connection

from archive import record
from archive.fsck import fsck
from archive.objects import FileObjectStore
from server import documents, identity, signature_sessions
from server.app import checkpoint_signer
from server.config import Configuration
from server.database import Database
from server.migrations import require_newest
from timestamping import journal as timestamp_journal
from workflow import tables as workflow_tables

ROW_SOURCES = (
    identity.journalled_rows,
    documents.journalled_rows,
    signature_sessions.journalled_rows,
    timestamp_journal.journalled_rows,
    record.journalled_rows,
    workflow_tables.journalled_rows,
)
"""For each floor with tables: what gives its resources' names and rows as they were journalled."""


REFERENCES = (documents.referenced_objects, record.referenced_objects)
"""For each table that refers to objects: what gives the resources' names and the objects' SHA-256."""


def check_everything(configuration: Configuration) -> int:
    """Check and print what is wrong; give 0 when nothing is, else 1."""
    database = Database(configuration.database_url())
    require_newest(database)
    signer = checkpoint_signer(configuration)
    store = FileObjectStore(configuration.storage.directory)
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.completed} {task.description}"), TimeElapsedColumn())
    wrong = 0
    with Progress(*columns, console=console, transient=True) as progress, database.read() as connection:
        _read_any_text(connection)
        task = progress.add_task("fsck", total=None)
        findings = fsck(
            connection,
            store,
            public_key=signer.public_key,
            origin=signer.origin,
            row_sources=ROW_SOURCES,
            references=REFERENCES,
            progress=lambda stage, done: progress.update(task, description=stage, completed=done),
        )
        for finding in findings:
            wrong += finding.is_fault
            sys.stdout.write(f"{finding.kind}\t{finding.subject}\t{finding.detail}\n")
    database.close()
    console.print("nothing wrong was found" if not wrong else f"{wrong} things are wrong")
    return 1 if wrong else 0


def _read_any_text(connection: Connection) -> None:
    """Have SQLite give text that is not UTF-8 as well, so that the row it was put into can be named."""
    driver = connection.connection.driver_connection
    if isinstance(driver, sqlite3.Connection):
        driver.text_factory = lambda octets: octets.decode("utf-8", "surrogateescape")
