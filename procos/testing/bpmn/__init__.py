"""The part of BPMN that a FakeEngine runs, and its reader."""
