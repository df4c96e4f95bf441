"""The part of FEEL that a FakeEngine evaluates; whatever else is refused when it is read.

The FEEL library on PyPI follows other rules for null and for numbers than the engine's, so this is our own.
"""
