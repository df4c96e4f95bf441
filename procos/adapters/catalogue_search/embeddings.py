"""Texts as vectors: the WordLlama model, read from the files of its wheel and from nowhere else."""

import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from procos.errors import RoutingError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

DIMENSIONS: Final = 256
_TINY: Final = 1e-12
_FEW: Final = 32
_MODEL: Final = "l2_supercat"


class Embeddings:
    """The direction of the sum of the vectors of a text's tokens; a text without a token is the zero vector.

    Only the weights and the tokenizer of the wheel `wordllama` are used, not its Python: importing that configures
    logging for the whole program, and its loader asks the network where it misses a file. Both are read at the first
    text, which takes about 0.2 s; may be used from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: tuple[Any, NDArray[np.float16]] | None = None

    def __call__(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """One row of `DIMENSIONS` numbers for each text.

        Raises:
            RoutingError: the model is not installed, or its files are damaged.
        """
        import numpy as np  # noqa: PLC0415

        tokenizer, weights = self._load()
        rows = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for number, encoded in enumerate(_encoded(tokenizer, texts)):
            if encoded.ids:
                rows[number] = weights[encoded.ids].sum(axis=0, dtype=np.float32)
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _TINY)
        return rows

    def _load(self) -> tuple[Any, "NDArray[np.float16]"]:
        with self._lock:
            if self._loaded is None:
                self._loaded = _read_model(_folder())
            return self._loaded


def _encoded(tokenizer: "Tokenizer", texts: Sequence[str]) -> list[Any]:
    if len(texts) > _FEW:
        return list(tokenizer.encode_batch(list(texts), add_special_tokens=False))
    # A batch goes to a pool of threads; for a few texts that takes longer than they do.
    return [tokenizer.encode(text, add_special_tokens=False) for text in texts]


def _folder() -> Path:
    spec = find_spec("wordllama")
    if spec is None or not spec.submodule_search_locations:
        raise RoutingError(
            "the search over the catalogue needs the package 'wordllama', which is not installed",
            hint="pip install 'wordllama>=0.4,<0.5'",
        )
    return Path(spec.submodule_search_locations[0])


def _read_model(folder: Path) -> tuple[Any, Any]:
    from safetensors import SafetensorError  # noqa: PLC0415
    from safetensors.numpy import load_file  # noqa: PLC0415
    from tokenizers import Tokenizer  # noqa: PLC0415

    weights = folder / "weights" / f"{_MODEL}_{DIMENSIONS}.safetensors"
    try:
        table = load_file(weights)["embedding.weight"]
        tokenizer = Tokenizer.from_str((folder / "tokenizers" / f"{_MODEL}_tokenizer_config.json").read_text("utf-8"))
    except (OSError, KeyError, SafetensorError) as error:
        raise RoutingError(
            f"the embedding model in {folder} cannot be read: {error}",
            hint="install it again: pip install --force-reinstall --no-deps wordllama",
        ) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer, table
