"""The work behind `licence-audit.bpmn`: which licences the installed Python packages have, and which must go.

One module for each step of the process; only the standard library, so that a child process starts fast.
"""
