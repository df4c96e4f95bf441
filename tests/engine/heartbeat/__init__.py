"""The heartbeat on a real engine; these tests share one kernel."""
