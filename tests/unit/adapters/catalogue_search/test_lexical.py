"""Scores of texts by the terms that they share with a query."""

from collections import Counter

import pytest

from procos.adapters.catalogue_search.lexical import TermIndex

TEXTS = [Counter(["send", "a", "mail"]), Counter(["read", "a", "file"]), Counter()]


@pytest.mark.parametrize("weighting", ["bm25", "cosine", "flat cosine"])
def test_shared_rare_terms_count_more_than_shared_frequent_ones(weighting):
    index = TermIndex(TEXTS, weighting=weighting)
    mail, file, empty = index.scores(Counter(["a", "mail", "please"]))
    assert 1 >= mail > file > empty == 0


def test_the_same_text_has_a_cosine_of_1():
    assert TermIndex(TEXTS, weighting="cosine").scores(TEXTS[0])[0] == pytest.approx(1)


@pytest.mark.parametrize("query", [{}, {"unknown": 1}])
@pytest.mark.parametrize("texts", [TEXTS, []])
def test_nothing_in_common_is_0(texts, query):
    assert list(TermIndex(texts, weighting="bm25").scores(query)) == [0] * len(texts)


def test_unknown_words_in_a_query_make_it_less_alike():
    index = TermIndex(TEXTS, weighting="cosine")
    assert index.scores({"mail": 1, "unknown": 1})[0] < index.scores({"mail": 1})[0]
