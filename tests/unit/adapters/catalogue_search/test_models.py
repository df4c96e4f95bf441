"""The vectors of texts: WordLlama's always, MiniLM's where it is installed."""

import numpy as np
import pytest

from procos.adapters.catalogue_search import embeddings, sentence_model
from procos.adapters.catalogue_search.embeddings import Embeddings
from procos.adapters.catalogue_search.search import meaning_of_examples
from procos.adapters.catalogue_search.sentence_model import SentenceModel
from procos.errors import RoutingError

needs_minilm = pytest.mark.skipif(not sentence_model.is_installed(), reason="the extra 'routing' is not installed")
MODELS = [Embeddings, pytest.param(SentenceModel, marks=needs_minilm)]


@pytest.mark.parametrize("model", MODELS)
def test_like_texts_have_like_vectors_of_length_1(model):
    mail, letter, database = model()(["send an e-mail", "write a mail to somebody", "query the database"])
    assert np.linalg.norm([mail, letter, database], axis=1) == pytest.approx(np.ones(3), abs=1e-4)
    assert mail @ letter > mail @ database


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("text", ["", " ", "😀", "請求書", "a" * 4_000, "\x00"])
def test_odd_texts_have_finite_vectors(model, text):
    (vector,) = model()([text])
    assert np.isfinite(vector).all()


@pytest.mark.parametrize("model", MODELS)
def test_a_vector_does_not_depend_on_its_neighbours(model):
    alone = model()(["send"])[0]
    among = model()(["send", "a much longer text that needs more tokens than the other one"])[0]
    assert alone @ among == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("model", MODELS)
def test_no_texts_have_no_vectors(model):
    assert len(model()([])) == 0


@needs_minilm
def test_a_text_asked_again_has_the_same_vector():
    model = SentenceModel()
    assert (model(["send", "send", "read"])[1] == model(["send"])[0]).all()


def test_examples_are_compared_by_the_best_model_there_is():
    wanted = SentenceModel if sentence_model.is_installed() else Embeddings
    assert isinstance(meaning_of_examples(Embeddings()).vectors, wanted)


def test_a_model_that_is_not_installed_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(embeddings, "find_spec", lambda _: None)
    with pytest.raises(RoutingError, match="wordllama") as caught:
        Embeddings()(["text"])
    assert "pip install" in (caught.value.hint or "")


@pytest.mark.parametrize("content", [None, b"", b"not a model"])
def test_a_damaged_model_says_how_to_mend_it(monkeypatch, tmp_path, content):
    if content is not None:
        (tmp_path / "weights").mkdir()
        (tmp_path / "weights" / "l2_supercat_256.safetensors").write_bytes(content)
    monkeypatch.setattr(embeddings, "_folder", lambda: tmp_path)
    with pytest.raises(RoutingError, match="cannot be read") as caught:
        Embeddings()(["text"])
    assert "wordllama" in (caught.value.hint or "")
