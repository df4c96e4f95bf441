"""Adapters: each makes a product or a file format serve a port."""
