"""How a text is taken apart."""

import pytest

from procos.adapters.catalogue_search.text import LONGEST_TEXT, clauses, clean, deeds, initials, readable, words


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Slack_message__3_0_0__createMessage", "Slack message create Message"),
        ("send-mail", "send mail"),
        ("HTTPCall", "HTTP Call"),
        ("sql", "sql"),
        ("", ""),
    ],
)
def test_identifiers_become_words(name, said):
    assert readable(name) == said


def test_english_plurals_are_told_from_words_that_end_in_s():
    assert words("Files policies ties status boss this its") == [
        "file",
        "policy",
        "tie",
        "status",
        "boss",
        "this",
        "its",
    ]


def test_scripts_without_spaces_are_taken_in_pairs_of_characters():
    assert words("請求書 abc") == ["請求", "求書", "abc"]


def test_a_text_is_split_where_it_may_ask_for_something_else():
    found = clauses("If it is late, get the file and send it. For each user ask")
    assert [(it.text, it.is_condition) for it in found] == [
        ("it is late", True),
        ("get the file", False),
        ("send it", False),
        ("For each user ask", False),
    ]


def test_a_dot_inside_a_name_does_not_end_a_clause():
    assert [it.text for it in clauses("read data.csv from v1.2")] == ["read data.csv from v1.2"]


def test_clauses_are_few_and_not_repeated():
    assert len(clauses("a, a, a")) == 1
    assert len(clauses(", ".join(f"step {number}" for number in range(100)))) == 16
    assert clauses(" ,.; ") == []


def test_what_says_the_same_deed_is_known():
    assert deeds(["get"]) == deeds(["list"]) == {"retrieve"}
    assert not deeds(["invoice"])


def test_initials_of_neighbouring_words():
    assert "cos" in initials("IBM Cloud Object Storage S3")


def test_a_text_is_cut_and_written_in_one_way():
    assert len(clean("\uff58" * 50_000)) == LONGEST_TEXT
    assert clean("\uff58") == "x"
