"""Step 'Classify the licence': the policy applied to one package; what is not certain is marked, never guessed."""

from collections.abc import Callable
from typing import TypedDict

from licence_audit.expressions import Expression, Licence, LicenceClass, class_of, licences, parse
from licence_audit.packages import Package, normalised
from licence_audit.policy import Policy
from licence_audit.reading import Reading, read


class Classification(TypedDict):
    """One package's class and why: `says` are its own words, `licence` what they mean in SPDX where that is known."""

    name: str
    version: str
    says: str | None
    licence: str | None
    licence_class: LicenceClass
    reason: str
    homepage: str | None


def classify(package: Package, policy: Policy) -> Classification:
    """Classifies one package.

    A licence that the policy does not list is unknown. Where a package's words may mean several licences, the class is
    known only if all of them are in the same one.
    """
    looked_up = policy["packages"].get(normalised(package["name"]))
    reading = read(package)
    if looked_up is not None:
        reading = Reading(reading.says, (parse(looked_up["licence"]),), f"looked up: {looked_up['because']}")
    licence_class, reason = _judge(reading, policy)
    return Classification(
        name=package["name"],
        version=package["version"],
        says=reading.says,
        licence=_shown(reading.options) if reading.options and not reading.incomplete else None,
        licence_class=licence_class,
        reason=reason,
        homepage=package["homepage"],
    )


def _judge(reading: Reading, policy: Policy) -> tuple[LicenceClass, str]:
    if not reading.options or reading.incomplete:
        return "unknown", reading.doubt or "not known"
    by_policy = _lookup(policy)
    classes = {option: class_of(option, by_policy) for option in reading.options}
    distinct = set(classes.values())
    doubt = f"{reading.doubt}; " if reading.doubt else ""
    if len(distinct) > 1:
        return "unknown", f"{doubt}the policy treats them differently: {_by_class(classes)}"
    licence_class = distinct.pop()
    if licence_class == "unknown":
        return "unknown", f"{doubt}{_not_listed(reading, by_policy)}"
    return licence_class, f"{doubt}{_shown(reading.options)}: {licence_class} by the policy"


def _lookup(policy: Policy) -> Callable[[Licence], LicenceClass]:
    # SPDX ids are the same in any case of letters.
    listed = {licence.casefold(): licence_class for licence, licence_class in policy["licences"].items()}

    def look_up(licence: Licence) -> LicenceClass:
        # Most exact first; an exception and "or a later version" only ever permit more than the licence alone.
        spellings = (str(licence), licence.id, licence.id.removesuffix("+"))
        found = (listed[spelling.casefold()] for spelling in spellings if spelling.casefold() in listed)
        return next(found, "unknown")

    return look_up


def _not_listed(reading: Reading, by_policy: Callable[[Licence], LicenceClass]) -> str:
    named = dict.fromkeys(licence for option in reading.options for licence in licences(option))
    return f"the policy does not list {', '.join(str(licence) for licence in named if by_policy(licence) == 'unknown')}"


def _by_class(classes: dict[Expression, LicenceClass]) -> str:
    return ", ".join(f"{option} {licence_class}" for option, licence_class in classes.items())


def _shown(options: tuple[Expression, ...]) -> str:
    return str(options[0]) if len(options) == 1 else f"one of {', '.join(str(option) for option in options)}"
