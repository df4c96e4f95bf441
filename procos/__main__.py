"""`python -m procos`."""

from procos.cli import main

main()
