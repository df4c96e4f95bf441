import pytest

from licence_audit.expressions import ExpressionError, Licence, class_of, licences, parse

CLASSES = {"MIT": "allowed", "MPL-2.0": "review", "GPL-3.0-only": "forbidden"}


def judged(text):
    return class_of(parse(text), lambda licence: CLASSES.get(licence.id, "unknown"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MIT", "allowed"),
        ("MIT OR GPL-3.0-only", "allowed"),
        ("GPL-3.0-only OR MPL-2.0", "review"),
        ("MIT AND GPL-3.0-only", "forbidden"),
        ("MIT AND MPL-2.0", "review"),
        ("MIT OR Foo-1.0", "allowed"),
        ("MIT AND Foo-1.0", "unknown"),
        ("GPL-3.0-only OR Foo-1.0", "unknown"),
        ("GPL-3.0-only AND Foo-1.0", "forbidden"),
        ("MPL-2.0 AND Foo-1.0", "unknown"),
    ],
)
def test_or_takes_the_best_and_and_the_worst(text, expected):
    assert judged(text) == expected


def test_and_binds_tighter_than_or():
    assert judged("MIT OR MIT AND GPL-3.0-only") == "allowed"
    assert judged("(MIT OR MIT) AND GPL-3.0-only") == "forbidden"


def test_operators_are_read_in_any_case():
    assert parse("mit or (isc and zlib)") == parse("mit OR (isc AND zlib)")


def test_an_exception_belongs_to_the_licence_before_it():
    found = list(licences(parse("MIT AND LGPL-2.1-or-later WITH GCC-exception-3.1")))
    assert found == [Licence("MIT"), Licence("LGPL-2.1-or-later", "GCC-exception-3.1")]


@pytest.mark.parametrize(
    ("old", "today"),
    [
        ("GPL-2.0", "GPL-2.0-only"),
        ("GPL-2.0+", "GPL-2.0-or-later"),
        ("lgpl-2.1+", "LGPL-2.1-or-later"),
        ("AGPL-3.0", "AGPL-3.0-only"),
        ("GPL-3.0-or-later", "GPL-3.0-or-later"),
        ("MPL-1.1+", "MPL-1.1+"),
    ],
)
def test_old_gnu_ids_become_the_ones_of_today(old, today):
    assert str(parse(old)) == today


@pytest.mark.parametrize("text", ["A AND (B OR C)", "(A AND B) OR C", "A WITH x OR B"])
def test_an_expression_is_shown_so_that_it_reads_the_same_again(text):
    assert parse(str(parse(text))) == parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "MIT License",
        "MIT OR",
        "AND MIT",
        "(MIT",
        "MIT)",
        "()",
        "MIT/ISC",
        "MIT WITH",
        "Lizenz für alle",
        "a\0b",
    ],
)
def test_what_is_no_expression_is_refused(text):
    with pytest.raises(ExpressionError):
        parse(text)


def test_endless_brackets_are_refused_and_do_not_exhaust_the_stack():
    with pytest.raises(ExpressionError, match="brackets"):
        parse("(" * 100_000)
