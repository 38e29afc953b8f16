"""Vectors kept text by text, the job that computes them, and what is flagged by them."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from core import vectors as kept
from core.actions import cards, curate, data, queues, review, vectors
from core.actions.session import Session
from core.checks.base import Item
from core.checks.leakage_embedding import LeakageEmbedding
from core.checks.outliers import Outliers
from core.encoders import Encoder, encode, fingerprint, locked
from core.errors import Problem
from core.jobs import encoding
from core.jobs.outbox import Outbox
from core.nearest import closest, closest_before, neighbourhoods, plane
from core.store import verdicts
from tests.conftest import WORDS

TEXTS = [
    f"the film was {word} and {other}" for word in ("good", "bad") for other in WORDS["sea"].split()
]


def unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


# Closest rows, and a plane


def test_the_closest_rows_are_those_of_all_products_whatever_the_block(monkeypatch):
    generator = np.random.default_rng(0)
    rows, queries = unit(generator.normal(size=(50, 8))), unit(generator.normal(size=(30, 8)))
    expected = np.argsort(-(queries @ rows.T), axis=1, kind="stable")[:, :4]
    for block in (10_000, 130):
        monkeypatch.setattr("core.nearest.BLOCK", block)
        cosines, places = closest(queries, rows, 4)
        assert (places == expected).all()
        assert np.allclose(cosines, np.take_along_axis(queries @ rows.T, expected, axis=1))
        _, others = closest(rows, rows, 1, range(50))
        assert (others[:, 0] != np.arange(50)).all()
        before = closest_before(rows)
        assert before[0] == -np.inf
        assert np.allclose(before[1:], [(rows[i] @ rows[:i].T).max() for i in range(1, 50)])


def test_fewer_rows_than_asked_for_leave_nothing_where_there_is_none():
    cosines, _ = closest(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32)[:1], 3)
    assert cosines.tolist() == [[1.0, -np.inf, -np.inf], [0.0, -np.inf, -np.inf]]
    assert closest(np.eye(2), np.zeros((0, 2)))[0].tolist() == [[-np.inf], [-np.inf]]


def test_a_plane_is_the_same_every_time_and_says_what_it_shows():
    generator = np.random.default_rng(1)
    flat = generator.normal(size=(200, 2)) @ generator.normal(size=(2, 6))
    found = plane(flat)
    assert (plane(flat.copy()).places == found.places).all()
    assert sum(found.shares) == pytest.approx(1)
    gaps = np.linalg.norm(flat[:100] - flat[100:], axis=1)
    assert np.allclose(np.linalg.norm(found.places[:100] - found.places[100:], axis=1), gaps)
    assert plane(flat[:1]).places.tolist() == [[0, 0]]
    assert plane(np.zeros((0, 6))).places.shape == (0, 2)


def test_neighbourhoods_keep_groups_together_and_are_the_same_every_time():
    generator = np.random.default_rng(4)
    group = np.repeat(np.arange(3), 30)
    rows = unit(np.eye(8)[group] + generator.normal(scale=0.15, size=(90, 8)))
    found = neighbourhoods(rows)
    assert (neighbourhoods(rows.copy()) == found).all()
    gaps = np.linalg.norm(found[:, None] - found[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    assert (group[gaps.argmin(axis=1)] == group).all()
    assert neighbourhoods(rows[:4]).shape == (4, 2)


# Kept on disk


def test_vectors_come_back_as_they_were_encoded_and_nothing_is_encoded_twice(
    planted_encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "PIECE", 6)
    assert not kept.has(planted_encoder, TEXTS, tmp_path).any()
    assert list(kept.fill(planted_encoder, TEXTS[:13], tmp_path)) == [0, 6, 12, 13]
    found, there = kept.read(planted_encoder, [*TEXTS, TEXTS[0]], tmp_path)
    assert there.tolist() == [True] * 13 + [False] * 7 + [True]
    assert np.allclose(found[:13], encode(planted_encoder, TEXTS[:13]), atol=1e-6)
    assert (found[13:20] == 0).all() and (found[20] == found[0]).all()
    made: list[int] = []
    real = kept.encoding

    def counting(*given):
        vectors_of = real(*given)
        return lambda texts: made.append(len(texts)) or vectors_of(texts)

    monkeypatch.setattr(kept, "encoding", counting)
    assert list(kept.fill(planted_encoder, TEXTS, tmp_path)) == [13, 19, 20]
    assert sum(made) == 7
    assert list(kept.fill(planted_encoder, TEXTS, tmp_path)) == [20]
    assert sum(made) == 7


def test_a_damaged_piece_is_not_read_and_is_encoded_again(
    planted_encoder: Encoder, tmp_path: Path
) -> None:
    assert list(kept.fill(planted_encoder, TEXTS, tmp_path)) == [0, 20]
    [piece] = (tmp_path / fingerprint(planted_encoder)).glob("texts-*.safetensors")
    content = bytearray(piece.read_bytes())
    content[-3] ^= 255
    piece.write_bytes(content)
    os.utime(piece, ns=(1, 1))
    assert not kept.has(planted_encoder, TEXTS, tmp_path).any()
    assert list(kept.fill(planted_encoder, TEXTS, tmp_path)) == [0, 20]
    assert kept.has(planted_encoder, TEXTS, tmp_path).all()


def test_a_lone_surrogate_and_an_empty_text_have_vectors(
    planted_encoder: Encoder, tmp_path: Path
) -> None:
    odd = ["good \ud800", ""]
    assert list(kept.fill(planted_encoder, odd, tmp_path))[-1] == 2
    assert kept.read(planted_encoder, odd, tmp_path)[1].all()


# Checks


def item(name: str, vector, label="a", split="train", source="human") -> Item:
    return Item(name, name, label, split, source, {"vector": vector})


@pytest.fixture
def cloud() -> np.ndarray:
    """Human rows around one direction, the last row in quite another."""
    generator = np.random.default_rng(2)
    rows = generator.normal(scale=0.3, size=(61, 16))
    rows[:, 0] += 1
    rows[60] = -np.eye(16)[0]
    return unit(rows)


def test_a_planted_outlier_is_found_and_fresh_rows_of_the_class_are_not(cloud):
    humans = [item(f"h{i}", row) for i, row in enumerate(cloud[:40])]
    judge = Outliers(threshold=4).start(humans)
    fresh = [item(f"s{i}", row, source="synthetic") for i, row in enumerate(cloud[40:60])]
    far = item("far", cloud[60], source="synthetic")
    found = {one.sample: one for one in judge.judge([*fresh, far])}
    assert [name for name, one in found.items() if one.is_flagged] == ["far"]
    assert found["far"].score > 4 and "robust standard deviations" in found["far"].reason
    assert not any(one.is_flagged for one in judge.judge(humans))


def test_an_outlier_of_one_class_may_be_at_home_in_another(cloud):
    humans = [item(f"h{i}", row) for i, row in enumerate(cloud[:40])]
    humans += [item(f"o{i}", -row, label="b") for i, row in enumerate(cloud[:40])]
    judge = Outliers().start(humans)
    told = judge.judge([item("s", cloud[60], "a"), item("t", cloud[60], "b")])
    assert [one.is_flagged for one in told] == [True, False]


def test_without_enough_human_rows_or_a_vector_nothing_is_an_outlier(cloud):
    few = [item(f"h{i}", row) for i, row in enumerate(cloud[:10])]
    assert not Outliers().start(few).judge([item("far", cloud[60])])[0].is_flagged
    many = [item(f"h{i}", row) for i, row in enumerate(cloud[:40])]
    bare = Item("bare", "text", "a")
    assert not Outliers().start(many).judge([bare])[0].is_flagged
    synthetic = [item(f"h{i}", row, source="synthetic") for i, row in enumerate(cloud[:40])]
    assert not Outliers().start(synthetic).judge([item("far", cloud[60])])[0].is_flagged


def test_a_planted_leak_by_meaning_is_found_and_names_its_test_row(cloud):
    rows = [item("t1", cloud[0], split="test"), item("o1", cloud[1], split="ood:forum")]
    rows.append(item("train", cloud[60]))
    near = unit((cloud[1] + 0.05 * cloud[2])[None])[0]
    judge = LeakageEmbedding(threshold=0.95).start(rows)
    told = judge.judge([item("near", near), item("fresh", cloud[60]), item("t1", cloud[0])])
    assert [one.is_flagged for one in told] == [True, False, False]
    assert told[0].close_to == "o1" and "other test set 'forum'" in told[0].reason
    assert told[0].score == pytest.approx(float(near @ cloud[1]), abs=1e-4)


# The job


def test_a_job_computes_every_vector_and_keeps_what_checks_say(project, quick_vectors, session):
    before = vectors.state(project)
    assert (before.n_there, before.n_texts) == (0, 150) and before.seconds > 8
    job = vectors.start(project, {"leakage_embedding": {"threshold": 0.5}})
    done = vectors.wait(job)
    assert done.state == "done"
    assert "Leakage by meaning: " in done.message and "Outliers: " in done.message
    assert vectors.state(project).n_missing == 0
    rows = review.table(project, curate.wanted(status=None))
    flagged = [row for row in rows if "leakage_embedding" in row.flags]
    assert flagged
    found = verdicts.of(session.database, project, [flagged[0].id])[flagged[0].id]
    [leak] = [one for one in found if one.check == "leakage_embedding"]
    assert leak.close_text and leak.score >= 0.5
    # Embeddings only flag: every sample is still there, as it was.
    assert {row.status for row in rows} == {"accepted"}
    # With another threshold the same job takes its flags back.
    assert vectors.start(project, {"leakage_embedding": {"threshold": 1.0}}) == job
    vectors.wait(job)
    rows = review.table(project, curate.wanted(status=None))
    assert not any("leakage_embedding" in row.flags for row in rows)
    assert vectors.check_settings(project)["leakage_embedding"] == {"threshold": 1.0}


def test_vectors_are_read_by_sample_and_erased_with_them(project, quick_vectors):
    vectors.wait(vectors.start(project))
    ids = [row.id for row in review.table(project, queues.wanted("all"))][:3]
    found, there = vectors.vectors(project, [*ids, "none such"])
    assert there.tolist() == [True, True, True, False]
    assert np.allclose(np.linalg.norm(found[:3], axis=1), 1, atol=1e-5)
    data.delete_samples(project, ids[:1], "Ana")
    now = vectors.state(project)
    assert (now.n_there, now.n_texts) == (0, 149)


def test_a_verdict_of_a_text_that_was_changed_since_is_not_kept(project, quick_vectors, session):
    first = review.table(project, curate.wanted(status=None))[0]
    told = {"check": "outliers", "sample": first.id, "is_flagged": True, "reason": "far",
            "score": 9.0, "close_to": None, "close_text": None}  # fmt: skip
    for mark, flags in ((kept.mark("another text"), ()), (kept.mark(first.text), ("outliers",))):
        line = {"verdicts": [{**told, "mark": mark.hex()}]}
        with session.database.write() as cursor:
            encoding.keep(cursor, project, line)
        assert cards.card_of(project, "Ana", first.id).sample.flags == flags


def test_nothing_to_encode_and_a_wrong_setting_are_said(session, project):
    from core.actions import home

    empty = home.create_project("empty").id
    with pytest.raises(Problem, match="no texts"):
        vectors.start(empty)
    with pytest.raises(Problem, match="threshold"):
        vectors.start(project, {"outliers": {"threshold": "high"}})
    assert vectors.state(project).job is None


def test_a_pause_ends_after_the_piece_in_hand(
    project, quick_vectors, session, tmp_path, monkeypatch
):
    monkeypatch.setattr(kept, "PIECE", 40)
    [part] = encoding.prepare(session.database, tmp_path / "job", project)
    plan = json.loads((part / "plan.json").read_text())
    paused = threading.Event()
    paused.set()
    encoding.work(part, plan, Outbox(part / "outbox.jsonl"), paused)
    assert vectors.state(project).n_there == 0
    lines = (part / "outbox.jsonl").read_text()
    assert '"n_done": 0' in lines and "verdicts" not in lines


@pytest.mark.slow
def test_a_killed_worker_goes_on_where_it_was(project: str, session: Session) -> None:
    """The real encoder in a process of its own, killed when half of the texts are done."""
    cache = session.home / "cache"
    texts = [row.text for row in review.table(project, queues.wanted("all", split=None))]
    assert list(kept.fill(Encoder(), texts[:70], cache))[-1] == 70
    folder = cache / fingerprint(Encoder())
    (folder / "texts-half.part").write_bytes(b"half a pie")
    with locked(folder / "lock"):
        job = vectors.start(project)
        part = session.runner._running[job].parts[0]
        until(lambda: vectors.state(project).job.progress.get("n_done") == 70)
        os.kill(part.pid, signal.SIGKILL)
        ended = vectors.wait(job)
    assert ended.state == "interrupted" and "resume" in ended.message
    assert vectors.state(project).n_there == 70
    assert vectors.start(project) == job
    assert vectors.wait(job).state == "done"
    assert vectors.state(project).n_missing == 0
    ids = [row.id for row in review.table(project, queues.wanted("all", split=None))]
    found, there = vectors.vectors(project, ids)
    assert there.all() and np.allclose(found, encode(Encoder(), texts), atol=1e-5)


def until(holds, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
