"""Step 'List what must be replaced': each forbidden package, who needs it, and what to do about it."""

from collections.abc import Sequence
from typing import TypedDict

from licence_audit.classification import Classification
from licence_audit.packages import Package, normalised
from licence_audit.policy import Policy


class Remedy(TypedDict):
    """What to do about one forbidden package; `required_by` are the installed packages that need it directly."""

    name: str
    version: str
    reason: str
    required_by: list[str]
    advice: str


def list_remedies(
    classifications: Sequence[Classification], packages: Sequence[Package], policy: Policy
) -> list[Remedy]:
    """Lists a remedy for every forbidden package, sorted by name."""
    forbidden = [entry for entry in classifications if entry["licence_class"] == "forbidden"]
    remedies = []
    for entry in sorted(forbidden, key=lambda entry: normalised(entry["name"])):
        required_by = _required_by(entry["name"], packages)
        remedies.append(
            Remedy(
                name=entry["name"],
                version=entry["version"],
                reason=entry["reason"],
                required_by=required_by,
                advice=policy["replacements"].get(normalised(entry["name"])) or _advice(required_by),
            )
        )
    return remedies


def _required_by(name: str, packages: Sequence[Package]) -> list[str]:
    return [package["name"] for package in packages if normalised(name) in package["requires"]]


def _advice(required_by: Sequence[str]) -> str:
    if not required_by:
        return "No installed package needs it without an extra: uninstall it, or find one with another licence."
    return f"Find a replacement for it, or for what needs it: {', '.join(required_by)}."
