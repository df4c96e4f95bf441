"""What a FakeEngine is made of: instances that run, their jobs, and faults on demand."""
