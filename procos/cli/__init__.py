"""The command line. Only the standard library and Typer are imported before a command runs: `--help` is quick."""

import sys


def main() -> None:
    """Runs the command line; a person's mistake ends in a message and an exit code, never in a traceback."""
    from procos.cli.app import app
    from procos.cli.output import say_error
    from procos.errors import ProcosError

    try:
        app()
    except ProcosError as error:
        say_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has had enough (`procos status | head -1`).
        sys.stderr.close()
        sys.exit(141)
