"""Draws docs/images/processes/ from the BPMN files, as Camunda Modeler shows them. Run it with `make pictures`.

Needs Node.js. bpmn-js, a headless Chromium and a font come from npm, pinned in rendering/package-lock.json, and stay in
the user's cache. Each picture says which file it shows and that file's sha256: a test compares it.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field

from procos.authoring.tde_process import tde_process
from procos.sdk import tde
from procos.settings import load

ROOT: Final = Path(__file__).parents[1]
PICTURES: Final = ROOT / "docs" / "images" / "processes"
TOOLS: Final = Path(__file__).parent / "rendering"
EXAMPLE: Final = ROOT / "bpmn" / "templates" / "tde-deterministic.bpmn"
MARGIN: Final = 10
_MARK: Final = re.compile(r"<!-- docs/render\.py drew this from (?P<file>\S+), sha256 (?P<hash>[0-9a-f]{64}) -->")
_VIEW_BOX: Final = re.compile(r'width="[\d.]+" height="[\d.]+" viewBox="(?P<box>[-\d. ]+)"')
_NAME: Final = re.compile(r'<bpmn:process [^>]*?name="(?P<name>[^"]*)"')


class Order(BaseModel):
    """What the example takes."""

    item: str = Field(description="Number of the article")
    quantity: int = Field(1, description="How many of them")


class Reservation(BaseModel):
    """What the example gives."""

    reservation: str = Field(description="Number under which the goods are kept")


def example() -> str:
    """The process of a TDE that can be undone, as it is generated for every TDE."""

    @tde("reserve-stock", description="Takes goods out of the stock")
    def reserve_stock(order: Order) -> Reservation:
        raise NotImplementedError(order)

    return tde_process(reserve_stock.manifest().model_copy(update={"undo_job_type": "tde.reserve-stock.undo"}))


def sources() -> dict[str, Path]:
    """Every BPMN file that has a picture, by the picture's name."""
    folder = ROOT / "bpmn"
    named = {}
    for file in sorted(folder.rglob("*.bpmn")):
        parts = [part for part in file.relative_to(folder).with_suffix("").parts if part not in {"kernel", "templates"}]
        named["-".join(parts) + ".svg"] = file
    return named


def hash_of(file: Path) -> str:
    """The sha256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def origin_of(picture: Path) -> tuple[str, str]:
    """Which file a picture shows, by its path from the root, and the sha256 that it had.

    Raises:
        ValueError: the picture was not drawn here.
    """
    mark = _MARK.search(picture.read_text(encoding="utf-8"))
    if mark is None:
        raise ValueError(f"{picture} was not drawn by docs/render.py")
    return mark["file"], mark["hash"]


def main(*names: str) -> None:
    """Writes the generated template, and draws every picture whose BPMN file has changed, or those that are named."""
    EXAMPLE.write_text(example(), encoding="utf-8")
    files = sources()
    wanted = {name: file for name, file in files.items() if (name in names if names else _is_due(name, file))}
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, svg in _draw(wanted).items():
        (PICTURES / name).write_text(_finish(svg, files[name]), encoding="utf-8")
        sys.stdout.write(f"drew {name}\n")
    for stray in sorted({it.name for it in PICTURES.glob("*.svg")} - set(files)):
        (PICTURES / stray).unlink()
        sys.stdout.write(f"removed {stray}: its BPMN file is gone\n")


def _is_due(name: str, file: Path) -> bool:
    picture = PICTURES / name
    return not picture.exists() or origin_of(picture)[1] != hash_of(file)


def _draw(files: dict[str, Path]) -> dict[str, str]:
    if not files:
        return {}
    given = json.dumps({name: file.read_text(encoding="utf-8") for name, file in files.items()})
    command = [_program("node"), str(TOOLS / "render.mjs"), str(_installed())]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        sys.exit(f"the pictures could not be drawn:\n{done.stderr}")
    drawn: dict[str, str] = json.loads(done.stdout)
    return drawn


def _finish(svg: str, file: Path) -> str:
    """The drawing on white, with a margin and a title, and with the mark that says where it comes from."""
    body = svg[svg.index("<svg") :]
    frame = _VIEW_BOX.search(body)
    name = _NAME.search(file.read_text(encoding="utf-8"))
    if frame is None or name is None:
        sys.exit(f"{file}: the drawing has no size, or the process no name")
    x, y, width, height = (round(float(side)) for side in frame["box"].split())
    x, y, width, height = x - MARGIN, y - MARGIN, width + 2 * MARGIN, height + 2 * MARGIN
    size = f'width="{width}" height="{height}" viewBox="{x} {y} {width} {height}"'
    paper = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="#fff"/>'
    mark = f"<!-- docs/render.py drew this from {file.relative_to(ROOT).as_posix()}, sha256 {hash_of(file)} -->"
    head, _, rest = (body[: frame.start()] + size + body[frame.end() :]).partition(">")
    return f"{head}>\n{mark}\n<title>{name['name']}</title>{paper}{rest}\n"


def _installed() -> Path:
    """The folder with node_modules; installed first where it is not there yet."""
    lock = TOOLS / "package-lock.json"
    folder = load({}).values.cache / "docs-rendering" / hash_of(lock)[:16]
    if not folder.is_dir():
        fresh = folder.with_suffix(".fresh")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        for file in (lock, TOOLS / "package.json"):
            shutil.copy(file, fresh)
        command = [_program("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=fresh, check=True, timeout=300, stdout=sys.stderr)
        os.replace(fresh, folder)  # noqa: PTH105 - says what is meant: in one step
    return folder


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        sys.exit(f"{name} is missing: install Node.js 18 or newer, which brings node and npm")
    return path


if __name__ == "__main__":
    main(*sys.argv[1:])
