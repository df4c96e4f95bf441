"""Step 'Compose the report': the same findings as Markdown for people and as a JSON object for programs."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal, TypedDict

from licence_audit.classification import Classification
from licence_audit.expressions import CLASSES, LicenceClass
from licence_audit.packages import normalised
from licence_audit.policy import Policy
from licence_audit.remedies import Remedy

Verdict = Literal["clean", "forbidden found"]

_MARKUP = re.compile(r"[\\|`<>*\[\]]|(?<![^\W_])_|_(?![^\W_])")
"""What Markdown reads as markup; an underscore inside a word is none."""

_WORST_FIRST = tuple(reversed(CLASSES))
_MEANING: dict[LicenceClass, str] = {
    "forbidden": "must be replaced",
    "unknown": "a person must find out the licence",
    "review": "a person must decide",
    "allowed": "nothing to do",
}


class Findings(TypedDict):
    """The report as a JSON object; `audited_at` is ISO 8601 with an offset, `counts` has every class."""

    title: str
    policy: str
    audited_at: str
    verdict: Verdict
    counts: dict[LicenceClass, int]
    packages: list[Classification]
    replace: list[Remedy]


class Report(TypedDict):
    """Both forms of the report; `file_stem` is a file name of its own for each second, without an ending."""

    file_stem: str
    markdown: str
    findings: Findings


def compose(
    classifications: Sequence[Classification],
    policy: Policy,
    remedies: Sequence[Remedy] | None = None,
    audited_at: str | None = None,
) -> Report:
    """Composes the report.

    `audited_at` is an ISO 8601 time with an offset; by default it is now, in this machine's time zone.

    Raises:
        ValueError: `audited_at` is no time, or has no offset.
    """
    moment = _moment(audited_at)
    counted = Counter(entry["licence_class"] for entry in classifications)
    findings = Findings(
        title="Licence audit of installed packages",
        policy=policy["name"],
        audited_at=moment.isoformat(timespec="seconds"),
        verdict="forbidden found" if counted["forbidden"] else "clean",
        counts={licence_class: counted[licence_class] for licence_class in _WORST_FIRST},
        packages=sorted(classifications, key=_worst_first),
        replace=list(remedies or ()),
    )
    return Report(
        file_stem=f"licence-audit-{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        markdown=_markdown(findings),
        findings=findings,
    )


def _moment(audited_at: str | None) -> datetime:
    if audited_at is None:
        return datetime.now().astimezone()
    moment = datetime.fromisoformat(audited_at)
    if moment.tzinfo is None:
        raise ValueError(f"audited_at '{audited_at}' has no offset; write it as 2026-01-31T12:00:00+01:00")
    return moment


def _worst_first(entry: Classification) -> tuple[int, str]:
    return _WORST_FIRST.index(entry["licence_class"]), normalised(entry["name"])


def _markdown(findings: Findings) -> str:
    sections = [
        [f"# {findings['title']}"],
        [f"Policy: {_cell(findings['policy'])}", f"Time: {findings['audited_at']}"],
        _summary(findings),
        _replacements(findings["replace"]),
        _open_questions(findings["packages"]),
        _all_packages(findings["packages"]),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _summary(findings: Findings) -> list[str]:
    total, forbidden = len(findings["packages"]), findings["counts"]["forbidden"]
    verdict = f"{forbidden} must be replaced" if forbidden else "none is forbidden"
    rows = ([name, str(findings["counts"][name]), _MEANING[name]] for name in _WORST_FIRST)
    return [
        "## Summary",
        "",
        f"**{total} packages, {verdict}.**",
        "",
        *_table(["class", "packages", "what it asks for"], rows),
    ]


def _replacements(remedies: Sequence[Remedy]) -> list[str]:
    if not remedies:
        return []
    rows = (
        [
            f"{entry['name']} {entry['version']}",
            entry["reason"],
            ", ".join(entry["required_by"]) or "no installed package",
            entry["advice"],
        ]
        for entry in remedies
    )
    return ["## What must be replaced", "", *_table(["package", "why", "needed by", "what to do"], rows)]


def _open_questions(packages: Sequence[Classification]) -> list[str]:
    rows = [
        [f"{entry['name']} {entry['version']}", entry["licence_class"], entry["reason"], entry["homepage"] or ""]
        for entry in packages
        if entry["licence_class"] in {"unknown", "review"}
    ]
    return (
        ["## What a person must look at", "", *_table(["package", "class", "why", "home page"], rows)] if rows else []
    )


def _all_packages(packages: Sequence[Classification]) -> list[str]:
    rows = (
        [entry["name"], entry["version"], entry["licence_class"], entry["licence"] or entry["says"] or "not stated"]
        for entry in packages
    )
    return ["## All packages", "", *_table(["package", "version", "class", "licence"], rows)]


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [titles, ["---"] * len(titles), *([_cell(value) for value in row] for row in rows)]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _cell(text: str) -> str:
    """Text from a package's metadata as it may stand in a table: one line, and none of it read as markup."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(text.split()))
