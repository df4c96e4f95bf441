"""The public names of the SDK and of the doubles: they may be added to, and are never taken away in silence."""

import procos.sdk
import procos.testing


def test_sdk_names() -> None:
    assert set(procos.sdk.__all__) == {
        "tde", "Tde", "TaskContext", "RetryPolicy", "BpmnError", "RetryLater", "GiveUp", "PluginError",
    }  # fmt: skip
    assert all(hasattr(procos.sdk, name) for name in procos.sdk.__all__)


def test_testing_names() -> None:
    assert set(procos.testing.__all__) == {
        "TdeHarness", "TdeResult", "FakeEngine", "FakeInstance", "FakeIncident", "workers",
        "Clock", "ManualClock", "SystemClock",
    }  # fmt: skip
    assert all(hasattr(procos.testing, name) for name in procos.testing.__all__)
