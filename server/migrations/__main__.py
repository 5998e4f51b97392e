"""`python -m server.migrations MESSAGE` writes a revision for what the tables have become."""

import sys
import tempfile
from pathlib import Path

from server.database import Database
from server.migrations import write_revision


def main() -> None:
    """Compare the tables with a new database of the newest revision, and write the difference."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'empty.db'}")
        path = write_revision(database, " ".join(sys.argv[1:]) or "change")
        database.close()
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
