"""The task router: which TDE is a task for? In stages; each can answer, or pass on."""
