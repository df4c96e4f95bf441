import pytest

from licence_audit.classification import classify
from licence_audit.policy import load

POLICY = load()


def package(**stated):
    return {
        "name": "sample",
        "version": "1.0",
        "licence_expression": None,
        "licence_classifiers": [],
        "licence_field": None,
        "licence_text_title": None,
        "homepage": None,
        "requires": [],
        **stated,
    }


def osi(*names):
    return [f"License :: OSI Approved :: {name}" for name in names]


def classified(policy=POLICY, **stated):
    return classify(package(**stated), policy)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", "allowed"),
        ("mit", "allowed"),
        ("MIT OR GPL-3.0-only", "allowed"),
        ("MIT AND GPL-3.0-only", "forbidden"),
        ("GPL-2.0", "forbidden"),
        ("GPL-2.0+", "forbidden"),
        ("LGPL-2.1-or-later WITH Some-exception", "review"),
        ("MPL-1.1+", "review"),
        ("Nobody-Knows-1.0", "unknown"),
    ],
)
def test_an_spdx_expression_gets_its_class(expression, expected):
    assert classified(licence_expression=expression)["licence_class"] == expected


@pytest.mark.parametrize(
    ("field", "licence", "expected"),
    [
        ("The MIT License (MIT)", "MIT", "allowed"),
        ("Apache License, Version 2.0", "Apache-2.0", "allowed"),
        ("3-Clause BSD License", "BSD-3-Clause", "allowed"),
        ("GPLv3+", "GPL-3.0-or-later", "forbidden"),
        ("GNU General Public License v2", "GPL-2.0-only", "forbidden"),
        ("MIT OR GPL-3.0-only", "MIT OR GPL-3.0-only", "allowed"),
    ],
)
def test_a_name_in_free_text_is_recognised(field, licence, expected):
    found = classified(licence_field=field)
    assert (found["licence"], found["licence_class"]) == (licence, expected)


@pytest.mark.parametrize(
    "field",
    ["Dual License", "MIT-ish, mostly", "not MIT", "MIT/Apache", "Lizenz für alle", "自由软件", "Commercial", "—"],
)
def test_a_name_that_is_not_known_is_unknown_and_the_reason_says_so(field):
    found = classified(licence_field=field)
    assert found["licence_class"] == "unknown"
    assert field in found["reason"]


def test_a_package_that_states_nothing_is_unknown():
    found = classified()
    assert (found["licence"], found["licence_class"]) == (None, "unknown")
    assert found["reason"] == "the package states no licence"


def test_a_whole_licence_text_is_not_guessed_from_its_title():
    found = classified(licence_text_title="MIT License")
    assert found["licence_class"] == "unknown"
    assert "whole text" in found["reason"]


def test_bsd_alone_may_be_a_licence_that_the_policy_treats_differently():
    found = classified(licence_field="BSD")
    assert found["licence_class"] == "unknown"
    assert "BSD-3-Clause allowed" in found["reason"]
    assert "BSD-4-Clause review" in found["reason"]


@pytest.mark.parametrize(
    ("classifier", "expected"),
    [
        ("BSD License", "allowed"),
        ("Apache Software License", "allowed"),
        ("GNU General Public License (GPL)", "forbidden"),
        ("GNU Library or Lesser General Public License (LGPL)", "review"),
    ],
)
def test_an_ambiguous_classifier_has_a_class_when_all_that_it_may_mean_share_it(classifier, expected):
    found = classified(licence_classifiers=osi(classifier))
    assert found["licence_class"] == expected
    assert "does not say which one" in found["reason"]
    assert found["licence"].startswith("one of ")


def test_the_license_field_makes_an_ambiguous_classifier_exact():
    found = classified(licence_classifiers=osi("BSD License"), licence_field="BSD-3-Clause")
    assert (found["licence"], found["licence_class"]) == ("BSD-3-Clause", "allowed")


def test_several_classifiers_are_explained_by_an_expression_that_names_them_all():
    both = osi("MIT License", "GNU General Public License v3 (GPLv3)")
    assert classified(licence_classifiers=both, licence_field="MIT OR GPL-3.0-only")["licence_class"] == "allowed"
    assert classified(licence_classifiers=both, licence_field="MIT")["licence_class"] == "unknown"
    assert classified(licence_classifiers=both)["licence_class"] == "unknown"


def test_a_contradiction_is_unknown():
    found = classified(licence_classifiers=osi("MIT License"), licence_field="GPLv3")
    assert found["licence_class"] == "unknown"
    assert "something else than its classifiers" in found["reason"]


def test_a_license_field_that_cannot_be_read_does_not_hide_the_classifier_and_is_named():
    found = classified(licence_classifiers=osi("MIT License"), licence_field="see the file LICENSE.txt")
    assert (found["licence"], found["licence_class"]) == ("MIT", "allowed")
    assert "see the file LICENSE.txt" in found["reason"]


def test_a_classifier_that_is_not_known_makes_the_whole_unknown():
    found = classified(licence_classifiers=[*osi("MIT License"), "License :: Freeware"])
    assert (found["licence"], found["licence_class"]) == (None, "unknown")


def test_a_classifier_that_names_no_licence_says_nothing():
    classifiers = ["License :: OSI Approved", "License :: DFSG approved"]
    assert classified(licence_classifiers=classifiers, licence_field="MIT")["licence"] == "MIT"
    assert classified(licence_classifiers=classifiers)["reason"] == "the package states no licence"


def test_a_broken_license_expression_is_unknown_even_beside_a_good_classifier():
    found = classified(licence_expression="MIT OR", licence_classifiers=osi("MIT License"))
    assert found["licence_class"] == "unknown"


def test_an_entry_with_an_exception_counts_before_the_licence_alone():
    policy = load('[licences]\nallowed = ["GPL-2.0-only WITH Classpath-exception-2.0"]\nforbidden = ["GPL-2.0-only"]\n')
    with_exception = "GPL-2.0-only WITH classpath-exception-2.0"
    assert classified(policy, licence_expression=with_exception)["licence_class"] == "allowed"
    assert classified(policy, licence_expression="GPL-2.0-only WITH Font-exception-2.0")["licence_class"] == "forbidden"


def test_what_a_person_looked_up_counts_instead_of_what_the_package_states():
    policy = load(
        '[licences]\nallowed = ["MIT"]\nforbidden = ["GPL-3.0-only"]\n'
        '[packages.Sam_ple]\nlicence = "MIT"\nbecause = "read by J. Doe"\n'
    )
    found = classify(package(name="sam-ple", licence_field="GPLv3"), policy)
    assert (found["licence"], found["licence_class"], found["says"]) == ("MIT", "allowed", "GPLv3")
    assert "read by J. Doe" in found["reason"]


def test_the_reason_names_the_licences_that_the_policy_does_not_list():
    assert classified(licence_expression="MIT AND Foo-1.0")["reason"] == "the policy does not list Foo-1.0"
