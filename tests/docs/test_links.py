"""Links lead somewhere, pictures are there, and no page names a host that nobody here runs."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, pages, project_files, prose

_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_ADDRESS = re.compile(r"https?://(?P<host>[^/\s:`\"'>)]+)")
_MAY_BE_NAMED = re.compile(r"HOST|USER|127\.0\.0\.1|localhost|([\w-]+\.)*example\.(com|org)|www\.omg\.org|camunda\.org")
"""Examples, this machine, and the names of XML namespaces."""


@pytest.mark.parametrize("page", pages())
def test_links_and_pictures_of_a_page_are_there(page: str) -> None:
    for link in _LINK.finditer(prose(page)):
        path, _, anchor = link["target"].partition("#")
        assert ":" not in path, f"{page}: {link[0]} leads out of the project; say it here, or leave it out"
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page}: {link[0]} leads nowhere"
        if anchor:
            assert anchor in anchors(target), f"{page}: {target.name} has no heading for #{anchor}"


@pytest.mark.parametrize("page", pages())
def test_page_names_no_foreign_host(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert [it[0] for it in _ADDRESS.finditer(text) if not _MAY_BE_NAMED.fullmatch(it["host"])] == []


def test_every_page_of_the_docs_is_linked_from_another() -> None:
    linked = {
        ((ROOT / page).parent / link["target"].partition("#")[0]).resolve()
        for page in pages()
        for link in _LINK.finditer(prose(page))
        if not link["target"].startswith("#")
    }
    docs = [ROOT / page for page in pages() if page.startswith("docs/")]
    assert [str(page) for page in docs if page not in linked] == []


def test_every_picture_is_shown_by_a_page() -> None:
    shown = {
        ((ROOT / page).parent / link["target"]).resolve() for page in pages() for link in _LINK.finditer(prose(page))
    }
    pictures = [ROOT / path for path in project_files() if path.startswith("docs/images/")]
    assert [picture.name for picture in pictures if picture not in shown] == []


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
