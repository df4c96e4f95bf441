"""The public names of the SDK: what is frozen here may be added to, and is never taken away in silence."""

import procos.sdk


def test_sdk_names() -> None:
    assert set(procos.sdk.__all__) == {
        "tde", "Tde", "TaskContext", "RetryPolicy", "BpmnError", "RetryLater", "GiveUp", "PluginError",
    }  # fmt: skip
    assert all(hasattr(procos.sdk, name) for name in procos.sdk.__all__)
