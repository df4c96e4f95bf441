"""The search as LangChain sees it."""

import pytest

from procos.adapters.catalogue_search.langchain_retriever import as_retriever

pytest.importorskip("langchain_core")


def test_documents_are_tdes_with_their_confidence(search, catalogue):
    found = as_retriever(search, lambda: (catalogue, ()), limit=2).invoke("send an e-mail")
    assert found[0].id == "email"
    assert len(found) == 2
    assert found[0].page_content == catalogue[1].description
    assert found[0].metadata["tde"] == "email"
    assert found[0].metadata["process_id"] == "tde-email"
    assert 0 <= found[0].metadata["confidence"] <= 1


def test_it_is_a_langchain_retriever_and_can_be_chained(search, catalogue):
    from langchain_core.retrievers import BaseRetriever

    retriever = as_retriever(search, lambda: (catalogue, ()))
    assert isinstance(retriever, BaseRetriever)
    assert (retriever | (lambda documents: documents[0].id)).invoke("query the database") == "sql"


@pytest.mark.anyio
async def test_it_can_be_awaited(search, catalogue):
    found = await as_retriever(search, lambda: (catalogue, ())).ainvoke("query the database")
    assert found[0].id == "sql"


def test_an_empty_catalogue_gives_no_documents(search):
    assert as_retriever(search, lambda: ((), ())).invoke("send an e-mail") == []
