"""Runs install() as a program: prints each new step, then what came of it as a line of JSON."""

import json
import sys
from pathlib import Path

from procos.adapters.embedded.distribution import Distribution, install
from procos.errors import ProcosError


def main() -> None:
    arguments = json.loads(sys.argv[1])
    distribution = Distribution(**arguments["facts"])
    steps: list[str] = []

    def tell(step: str, done: int, total: int) -> None:
        if step not in steps:
            steps.append(step)
            print(step, flush=True)

    try:
        engine = install(
            distribution.version,
            cache=Path(arguments["cache"]),
            repository=arguments["repository"],
            local_repository=Path(arguments["local"]),
            progress=tell,
            distributions={distribution.version: distribution},
        )
    except ProcosError as error:
        print(json.dumps({"error": type(error).__name__, "message": error.message, "hint": error.hint}))
    else:
        print(json.dumps({"engine": str(engine), "files": sorted(file.name for file in engine.rglob("*"))}))


if __name__ == "__main__":
    main()
