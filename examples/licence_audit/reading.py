"""What licence a package's own words may mean, as SPDX expressions; ambiguity is kept, never resolved by a guess."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from licence_audit.expressions import Expression, ExpressionError, Licence, licences, parse
from licence_audit.names import SAYS_NOTHING, ids_of_classifier, ids_of_name
from licence_audit.packages import Package


@dataclass(frozen=True, slots=True)
class Reading:
    """What a package states: `says` in its own words, `options` what that may mean, `doubt` why that is not certain.

    Without options the licence is not known. With `incomplete`, a part of what the package states is not recognised.
    """

    says: str | None
    options: tuple[Expression, ...]
    doubt: str | None = None
    incomplete: bool = False


def read(package: Package) -> Reading:
    """Reads a package's License-Expression; where it has none, its licence classifiers and its License field together.

    A License field that fits the classifiers makes them more exact ('BSD License' and 'BSD-3-Clause'); one that does
    not fit is a contradiction, and all that was said remains possible.
    """
    if package["licence_expression"] is not None:
        return _read_expression(package["licence_expression"])
    classifiers = [line for line in package["licence_classifiers"] if line not in SAYS_NOTHING]
    field = package["licence_field"]
    if not classifiers:
        return _read_field(field, package["licence_text_title"])
    stated = [tuple(Licence(licence_id) for licence_id in ids_of_classifier(line)) for line in classifiers]
    by_field = _options_of_text(field) if field is not None else ()
    fitting = tuple(option for option in by_field if _fits(option, stated))
    says = "; ".join([*(line.removeprefix("License :: ") for line in classifiers), *([field] if field else [])])
    if fitting:
        return _of_options(says, fitting)
    reading = _of_all_stated(says, stated, by_field)
    if field is None or by_field:
        return reading
    aside = f"its License field '{field}' is not a known licence name and was left aside"
    return replace(reading, doubt="; ".join(filter(None, [reading.doubt, aside])))


def _read_expression(text: str) -> Reading:
    try:
        return Reading(text, (parse(text),))
    except ExpressionError as error:
        return Reading(text, (), str(error))


def _read_field(field: str | None, text_title: str | None) -> Reading:
    if field is not None:
        options = _options_of_text(field)
        return _of_options(field, options) if options else Reading(field, (), f"'{field}' is not a known licence name")
    if text_title is not None:
        return Reading(text_title, (), "its License field holds a whole text, which is not read")
    return Reading(None, (), "the package states no licence")


def _options_of_text(text: str) -> tuple[Expression, ...]:
    by_name = ids_of_name(text)
    if by_name:
        return tuple(Licence(licence_id) for licence_id in by_name)
    try:
        return (parse(text),)
    except ExpressionError:
        return ()


def _fits(option: Expression, stated: Sequence[Iterable[Expression]]) -> bool:
    """Whether the option names nothing but what the classifiers may mean, and something for each of them."""
    named = set(licences(option))
    sets = [set(ids) for ids in stated]
    return named <= set().union(*sets) and all(ids & named for ids in sets)


def _of_options(says: str, options: tuple[Expression, ...]) -> Reading:
    return Reading(says, options, None if len(options) == 1 else "it does not say which one")


def _of_all_stated(says: str, stated: Sequence[tuple[Expression, ...]], by_field: tuple[Expression, ...]) -> Reading:
    options = tuple(dict.fromkeys([*(option for ids in stated for option in ids), *by_field]))
    incomplete = not all(stated)
    doubt = None
    if incomplete:
        doubt = "a part of what it states is not a known licence name"
    elif by_field:
        doubt = "its License field says something else than its classifiers"
    elif len(stated) > 1:
        doubt = "it does not say whether all of them hold, or which one"
    elif len(options) > 1:
        doubt = "it does not say which one"
    return Reading(says, options, doubt, incomplete)
