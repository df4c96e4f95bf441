"""Starts an embedded engine as a program of its own: prints each new step, then the facts, and waits to be ended."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from procos.adapters.embedded import EmbeddedEngine, EngineOptions


def main() -> None:
    arguments = json.loads(sys.argv[1])
    options = EngineOptions(**(arguments | {"home": Path(arguments["home"]), "cache": Path(arguments["cache"])}))
    steps: list[str] = []

    def tell(step: str, done: int, total: int) -> None:
        if step not in steps:
            steps.append(step)
            print(step, flush=True)

    running = EmbeddedEngine(options).start(started_by="starter", progress=tell)
    print(json.dumps(asdict(running), default=str), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
