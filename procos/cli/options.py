"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Home = Annotated[
    Path | None,
    typer.Option("--home", metavar="FOLDER", help="Folder with engine data, state and logs.", show_default=False),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address", metavar="HOST:PORT", help="A Zeebe gateway instead of the embedded engine.", show_default=False
    ),
]
EngineVersion = Annotated[
    str | None,
    typer.Option("--engine-version", metavar="VERSION", help="Embedded engine: 8.6.0 or 8.5.8.", show_default=False),
]
EngineHome = Annotated[
    Path | None,
    typer.Option(
        "--engine-home", metavar="FOLDER", help="An unpacked Zeebe to use; nothing is fetched.", show_default=False
    ),
]
EnginePort = Annotated[
    int | None,
    typer.Option("--engine-port", metavar="PORT", help="Pin the embedded engine's gateway port.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
