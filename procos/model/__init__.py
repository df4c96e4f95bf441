"""Frozen facts, in the vocabulary of Zeebe and of docs/glossary.md."""
