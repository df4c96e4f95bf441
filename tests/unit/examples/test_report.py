import json
import re

import pytest

from licence_audit.classification import classify
from licence_audit.packages import list_installed
from licence_audit.policy import load
from licence_audit.remedies import list_remedies
from licence_audit.report import compose

POLICY = load(
    'name = "House rules"\n'
    '[licences]\nallowed = ["MIT"]\nreview = ["MPL-2.0"]\nforbidden = ["GPL-3.0-only"]\n'
    '[replacements]\nviral = "use tame"\n'
)
NOON = "2026-01-31T12:00:00+02:00"


def package(name, licence, requires=()):
    return {
        "name": name,
        "version": "1.0",
        "licence_expression": licence,
        "licence_classifiers": [],
        "licence_field": None,
        "licence_text_title": None,
        "homepage": None,
        "requires": list(requires),
    }


PACKAGES = [
    package("zeta", "MIT", requires=["viral"]),
    package("Alpha", "MIT", requires=["copyleft"]),
    package("viral", "GPL-3.0-only"),
    package("copyleft", "GPL-3.0-only"),
    package("lonely", "GPL-3.0-only"),
    package("weak", "MPL-2.0"),
    package("odd", None),
]


def audited(packages=PACKAGES, **options):
    classifications = [classify(entry, POLICY) for entry in packages]
    remedies = list_remedies(classifications, packages, POLICY)
    return compose(classifications, POLICY, remedies, NOON, **options)


def test_every_class_is_counted():
    findings = audited()["findings"]
    assert findings["counts"] == {"forbidden": 3, "unknown": 1, "review": 1, "allowed": 2}
    assert (findings["policy"], findings["verdict"]) == ("House rules", "forbidden found")


def test_packages_are_sorted_by_class_from_the_worst_and_then_by_name():
    names = [entry["name"] for entry in audited()["findings"]["packages"]]
    assert names == ["copyleft", "lonely", "viral", "odd", "weak", "Alpha", "zeta"]


def test_what_must_be_replaced_says_who_needs_it_and_what_to_use():
    remedies = {entry["name"]: entry for entry in audited()["findings"]["replace"]}
    assert list(remedies) == ["copyleft", "lonely", "viral"]
    assert (remedies["viral"]["advice"], remedies["viral"]["required_by"]) == ("use tame", ["zeta"])
    assert remedies["copyleft"]["required_by"] == ["Alpha"]
    assert "Alpha" in remedies["copyleft"]["advice"]
    assert "uninstall it" in remedies["lonely"]["advice"]


def test_the_markdown_shows_the_same_findings():
    text = audited()["markdown"]
    assert "Time: 2026-01-31T12:00:00+02:00" in text
    assert "**7 packages, 3 must be replaced.**" in text
    assert "| forbidden | 3 |" in text
    assert "| viral 1.0 | GPL-3.0-only: forbidden by the policy | zeta | use tame |" in text
    assert "| odd | 1.0 | unknown | not stated |" in text
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings == ["Summary", "What must be replaced", "What a person must look at", "All packages"]


def test_a_clean_report_has_nothing_to_replace_and_nothing_to_look_at():
    classifications = [classify(package("good", "MIT"), POLICY)]
    report = compose(classifications, POLICY, None, NOON)
    assert report["findings"]["verdict"] == "clean"
    assert report["findings"]["replace"] == []
    assert re.findall(r"^## (.*)$", report["markdown"], re.MULTILINE) == ["Summary", "All packages"]


def test_no_packages_make_a_report_as_well():
    report = compose([], POLICY, None, NOON)
    assert report["findings"]["counts"] == {"forbidden": 0, "unknown": 0, "review": 0, "allowed": 0}
    assert "**0 packages, none is forbidden.**" in report["markdown"]


def test_metadata_cannot_break_the_tables_or_smuggle_markup():
    stated = "a|b\n<script>[x](y)`*_z_"
    entry = package("my_pkg", None) | {"licence_field": stated}
    line = next(
        line for line in audited([entry])["markdown"].splitlines() if line.startswith("| my_pkg | 1.0 | unknown")
    )
    assert line == r"| my_pkg | 1.0 | unknown | a\|b \<script\>\[x\](y)\`\*\_z\_ |"


def test_the_file_name_has_the_time_in_utc():
    assert audited()["file_stem"] == "licence-audit-20260131T100000Z"


def test_the_time_is_now_with_an_offset_when_none_is_given():
    report = compose([], POLICY)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", report["findings"]["audited_at"])


def test_a_time_without_an_offset_is_refused():
    with pytest.raises(ValueError, match="has no offset"):
        compose([], POLICY, None, "2026-01-31T12:00:00")


def test_the_running_environment_is_audited_from_end_to_end():
    policy, packages = load(), list_installed()
    classifications = [classify(entry, policy) for entry in packages]
    report = compose(classifications, policy, list_remedies(classifications, packages, policy))
    assert sum(report["findings"]["counts"].values()) == len(packages)
    assert json.loads(json.dumps(report)) == report
    assert "| pydantic |" in report["markdown"]
