"""The one place where ports meet adapters."""
