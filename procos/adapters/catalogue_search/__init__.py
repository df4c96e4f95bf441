"""The search over the catalogue of TDEs: local, offline, and learning from examples."""
