"""Which texts have a vector on disk? Kept text by text, so that only new texts are ever encoded.

Beside the vectors of whole sets that students keep, an encoder's folder in the cache holds pieces:
files with the marks of some texts and their vectors. A piece is there whole or not at all, so that
encoding that was killed goes on where it was; reading needs numpy only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from core.encoders import Encoder, encoding, fingerprint, locked
from core.nearest import neighbourhoods
from core.registry import content_hash

PIECE = 512
"""Texts in a file: what a kill can lose, about two seconds of work."""
MARK_BYTES = 16


def mark(text: str) -> bytes:
    """Return 16 bytes that stand for a text."""
    return hashlib.blake2b(_clean(text).encode(), digest_size=MARK_BYTES).digest()


def read(encoder: Encoder, texts: Sequence[str], cache: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors of texts, float32 of shape (n, d), and which of them are there.

    A row without a vector is zero.

    Raises:
        Problem: as for `encoders.encode`.
    """
    places, pieces = _places(cache / fingerprint(encoder))
    marks = [mark(text) for text in texts]
    there = np.fromiter((one in places for one in marks), dtype=bool, count=len(marks))
    by_piece: dict[int, list[tuple[int, int]]] = {}
    for row, one in enumerate(marks):
        if one in places:
            piece, place = places[one]
            by_piece.setdefault(piece, []).append((row, place))
    made = np.zeros((len(texts), 0), dtype=np.float32)
    for number, pairs in by_piece.items():
        marks_there, vectors = _read(pieces[number])
        rows, from_rows = np.array(pairs).T
        if not marks_there:  # erased in between
            there[rows] = False
            continue
        if not made.shape[1]:
            made = np.zeros((len(texts), vectors.shape[1]), dtype=np.float32)
        made[rows] = vectors[from_rows]
    return made, there


def has(encoder: Encoder, texts: Sequence[str], cache: Path) -> np.ndarray:
    """Return which texts have a vector, as an array of bool.

    Raises:
        Problem: as for `encoders.encode`.
    """
    places, _ = _places(cache / fingerprint(encoder))
    return np.fromiter((mark(text) in places for text in texts), dtype=bool, count=len(texts))


def fill(
    encoder: Encoder, texts: Sequence[str], cache: Path, threads: int | None = None
) -> Iterator[int]:
    """Encode the texts that have no vector, piece by piece; yield how many distinct ones have one.

    The encoder is loaded only where something is missing. Two that fill at once share the work.

    Raises:
        Problem: as for `encoders.encode`.
    """
    folder = cache / fingerprint(encoder)
    folder.mkdir(parents=True, exist_ok=True)
    distinct = {mark(text): _clean(text) for text in texts}
    places, _ = _places(folder)
    missing = [one for one in distinct if one not in places]
    n_done = len(distinct) - len(missing)
    yield n_done
    vectors_of: Callable[[Sequence[str]], np.ndarray] | None = None
    for start in range(0, len(missing), PIECE):
        some = missing[start : start + PIECE]
        # One lock per encoder: two that encode at once would only share cores.
        with locked(folder / "lock"):
            places, _ = _places(folder)
            wanted = [one for one in some if one not in places]
            if wanted:
                vectors_of = vectors_of or encoding(encoder, threads)
                _write(folder, wanted, vectors_of([distinct[one] for one in wanted]))
        n_done += len(some)
        yield n_done


def lay_out(encoder: Encoder, texts: Sequence[str], cache: Path) -> None:
    """Keep the places of texts on a plane of neighbourhoods, unless they are there already.

    Raises:
        Problem: as for `encoders.encode`.
    """
    path = _layout(encoder, texts, cache)
    if _load(path, "places") is None:
        places = neighbourhoods(read(encoder, texts, cache)[0])
        with locked(path.parent / "lock"):
            _save(path, {"places": places})


def layout(encoder: Encoder, texts: Sequence[str], cache: Path) -> np.ndarray | None:
    """Return the places of texts as `lay_out` kept them, shape (n, 2); None where it has not."""
    found = _load(_layout(encoder, texts, cache), "places")
    return found[0] if found else None


def _clean(text: str) -> str:
    # A lone surrogate is no text that a tokenizer takes.
    return text.encode("utf-8", "replace").decode()


def _places(folder: Path) -> tuple[dict[bytes, tuple[int, int]], list[Path]]:
    """Return where the vector of each text stands, as number of the piece and row in it."""
    pieces = sorted(folder.glob("texts-*.safetensors"))
    return _index(tuple((path, _stamp(path)) for path in pieces)), pieces


@lru_cache(maxsize=2)
def _index(pieces: tuple[tuple[Path, tuple[int, int]], ...]) -> dict[bytes, tuple[int, int]]:
    return {
        one: (number, row)
        for number, (path, stamp) in enumerate(pieces)
        for row, one in enumerate(_marks(path, stamp))
    }


@lru_cache(maxsize=4096)
def _marks(path: Path, _stamp: tuple[int, int]) -> tuple[bytes, ...]:
    """Return the marks of a piece's texts; none of one that is damaged or gone."""
    return tuple(_read(path)[0])


def _stamp(path: Path) -> tuple[int, int]:
    """Return a file's size and time of change, zeros where it has just gone."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (stat.st_size, stat.st_mtime_ns)


def _read(path: Path) -> tuple[list[bytes], np.ndarray]:
    """Return the marks and vectors of a piece; nothing of one that is damaged or gone."""
    found = _load(path, "marks", "vectors")
    if found is None or len(found[0]) != len(found[1]):
        return [], np.zeros((0, 0), dtype=np.float32)
    return [bytes(one) for one in found[0]], found[1]


def _write(folder: Path, marks: Sequence[bytes], vectors: np.ndarray) -> None:
    """Keep a piece; the caller holds the lock."""
    rows = np.frombuffer(b"".join(marks), dtype=np.uint8).reshape(len(marks), MARK_BYTES)
    path = folder / f"texts-{content_hash([one.hex() for one in marks])}.safetensors"
    _save(path, {"marks": rows, "vectors": vectors})


def _layout(encoder: Encoder, texts: Sequence[str], cache: Path) -> Path:
    key = content_hash([mark(text).hex() for text in texts])
    return cache / fingerprint(encoder) / f"layout-{key}.safetensors"


def _load(path: Path, *names: str) -> list[np.ndarray] | None:
    """Return the arrays of a file, or None where it is damaged or gone."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as kept:
            found = [kept.get_tensor(name) for name in names]
            expected = kept.metadata()["sha256"]
    except (OSError, SafetensorError, KeyError, TypeError):
        return None
    return found if _digest(found) == expected else None


def _save(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Keep arrays, so that a reader sees all of them or no file; the caller holds the lock."""
    from safetensors.numpy import save

    part = path.with_suffix(".part")
    part.write_bytes(save(dict(arrays), metadata={"sha256": _digest(arrays.values())}))
    part.replace(path)


def _digest(arrays: Iterable[np.ndarray]) -> str:
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
