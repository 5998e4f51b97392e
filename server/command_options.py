"""Options that several commands of `pecete-server` have."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CONFIGURATION = Path("pecete.toml")

ConfigurationFile = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        envvar="PECETE_CONFIG",
        exists=True,
        dir_okay=False,
        help="The TOML file; see docs/operations.md.",
    ),
]
