"""The heartbeat: finds tasks that nobody claims, and has each run by a TDE."""
