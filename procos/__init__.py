"""ProcOS: a process operating system on Zeebe / Camunda 8."""

__version__ = "0.1.0"
