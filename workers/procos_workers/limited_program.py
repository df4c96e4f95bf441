"""Sets limits on its own process, then becomes the program that it was given.

It is started by file path and sees only the standard library. Arguments: memory in MiB (0: no limit), processor time in
seconds (0: no limit), a variable to take out of the environment ("": none), the executable, and the program's own
arguments beginning with its name. A program that cannot be started gives exit code 126, as in a shell.
"""

import os
import resource
import sys


def limit_this_process(memory_mb: int, cpu_seconds: int) -> None:
    """Sets the limits for this process and for each one that it starts; 0 sets none."""
    # The second more lets a program that catches SIGXCPU clean up before the kernel kills it.
    for kind, soft, hard in (
        (resource.RLIMIT_AS, memory_mb << 20, memory_mb << 20),
        (resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + 1),
    ):
        ceiling = resource.getrlimit(kind)[1]
        if soft and (ceiling == resource.RLIM_INFINITY or soft < ceiling):
            resource.setrlimit(kind, (soft, hard if ceiling == resource.RLIM_INFINITY else min(hard, ceiling)))


def main() -> None:
    """Becomes the program."""
    memory_mb, cpu_seconds, added, executable, *arguments = sys.argv[1:]
    # Where the locale is C, starting Python sets LC_CTYPE, which the program was not to see.
    os.environ.pop(added, None)
    limit_this_process(int(memory_mb), int(cpu_seconds))
    try:
        os.execve(executable, arguments, os.environ)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"{executable}: {error.strerror}\n")
        sys.exit(126)


if __name__ == "__main__":
    main()
