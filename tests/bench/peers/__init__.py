"""Peers of the worker runtime, each a small program, and what measures them in turns."""
