"""`python -m procos`; other processes that load this module again, for a CPU-bound function, run nothing."""

from procos.cli import main

if __name__ == "__main__":
    main()
