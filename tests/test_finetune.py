"""Fine-tuning learns every head, repeats itself, stops in time, and says what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_encoders import save_tiny_encoder
from test_tasks import KINDS, read, task_of

from core import encoders
from core.actions import budget, curves, points, pooling, tables, train
from core.budget import Prices
from core.errors import Problem
from core.learning import Course, Lesson
from core.mixture import Draws, Mixture
from core.registry import make
from core.students._fitting import batches, rate
from core.students._tokens import tokens_of
from core.students.base import Features, FitRequest
from core.students.finetune import Finetune
from core.students.frozen import Frozen
from core.tasks.base import Example, Task
from core.text import tokens

pytestmark = pytest.mark.executor("inline")

N_TRAIN, N_TEST = 60, 30
CUES = ("ripe", "fast", "calm")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random transformer of one layer that knows the words of all planted rows."""
    known = {
        word.lower()
        for kind in KINDS
        for inputs, _ in read(task_of(kind), KINDS[kind].rows(30, 1))
        for word in task_of(kind).text_of(inputs).split()
    }
    folder = tmp_path_factory.mktemp("finetune")
    return str(save_tiny_encoder(folder, sorted({*known, *CUES, "so", "it", "is", "here"})))


def quick(tiny: str, **more: Any) -> Finetune:
    return Finetune(
        encoder=tiny, **{"learning_rate": 0.01, "epochs": 15, "patience": 15, **more}
    )  # fmt: skip


def taught(student: Finetune, task: Task, rows: Sequence[tuple[Mapping[str, Any], str]],
           n_train: int = N_TRAIN, **more: Any) -> tuple[Course, Any]:  # fmt: skip
    course = Course(task, student, [inputs for inputs, _ in rows], [label for _, label in rows],
                    [i < n_train for i in range(len(rows))])  # fmt: skip
    (learned,) = course.fit([Lesson("only", range(n_train), 0, **more)])
    return course, learned


@pytest.mark.parametrize("kind", [*KINDS, "grade as number"])
def test_every_kind_of_task_is_learned(kind: str, tiny: str) -> None:
    name = kind.split(maxsplit=1)[0]
    task = task_of(name).learning_as("number") if "number" in kind else task_of(name)
    rows = read(task, KINDS[name].rows(N_TRAIN, 1))[:N_TRAIN]
    rows += read(task, KINDS[name].rows(N_TEST, 2))
    student = quick(tiny, epochs=40, patience=40, development_share=0.0)
    course, learned = taught(student, task, rows)
    # Which words two texts share is more than one random layer can learn: its own rows it can.
    asked = range(N_TRAIN) if name in ("choice", "similarity") else range(N_TRAIN, len(rows))
    said = course.answers(learned, asked)
    scores = task.score([rows[i][1] for i in asked], said.labels, said.chances)
    assert scores[KINDS[name].metric] > 1.5 * KINDS[name].chance
    assert learned.n_steps == 40 * 2 * len(task.stages)
    assert learned.device in ("cpu", "cuda")
    assert [len(stage["epochs"]) for stage in learned.about] == [40] * len(task.stages)


def texts_with_cues(n: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    generator = np.random.default_rng(seed)
    classes = generator.integers(3, size=n)
    texts = []
    for each in classes:
        words = [*generator.choice(["so", "it", "is", "here"], size=4), CUES[each]]
        texts.append(" ".join(generator.permutation(words)))
    return texts, classes


def features_of(student: Finetune, texts: Sequence[str]) -> Features:
    return student.encode([[Example(text)] for text in texts], "class")


def test_training_stops_where_the_development_rows_gain_nothing(tiny: str) -> None:
    texts, _ = texts_with_cues(120)
    noise = np.random.default_rng(1).integers(3, size=120)
    student = quick(tiny, epochs=50, patience=2)
    (fitted,) = student.fit(
        features_of(student, texts), [FitRequest("k", np.arange(120), noise, 3, seed=0)]
    )
    epochs = fitted.about["epochs"]
    assert len(epochs) == fitted.about["best_epoch"] + 2 < 50
    losses = [development for _, development, _ in epochs]
    assert min(losses) == losses[fitted.about["best_epoch"] - 1]


def test_the_best_epoch_is_the_one_that_is_kept(tiny: str) -> None:
    texts, classes = texts_with_cues(120)
    noisy = np.where(np.arange(120) % 3, classes, (classes + 1) % 3)
    request = FitRequest("k", np.arange(120), noisy, 3, seed=3)
    long = quick(tiny, epochs=30, patience=30, warm_up_share=0.0)
    features = features_of(long, texts)
    (fitted,) = long.fit(features, [request])
    losses = [development for _, development, _ in fitted.about["epochs"]]
    held_out = np.random.default_rng([3, 2]).permutation(120)[:12]
    chances = long.predict(fitted, features, np.sort(held_out))
    now = -np.log(chances[np.arange(12), noisy[np.sort(held_out)]]).mean()
    assert now == pytest.approx(min(losses), rel=1e-3) and losses[-1] > min(losses) + 0.01


def test_few_rows_hold_none_back(tiny: str) -> None:
    texts, classes = texts_with_cues(20)
    student = quick(tiny, epochs=3)
    (fitted,) = student.fit(
        features_of(student, texts), [FitRequest("k", np.arange(20), classes, 3, seed=0)]
    )
    assert [epoch[1:] for epoch in fitted.about["epochs"]] == [[None, None]] * 3


def test_a_rate_that_is_too_high_fails_in_words(tiny: str) -> None:
    texts, classes = texts_with_cues(60)
    student = quick(tiny)
    features = features_of(student, texts)
    from core.students._network import network_for

    network = network_for(encoders.Encoder(tiny, "", 128), "class", 3, 0, "auto", "cpu")
    name = next(iter(network._before))
    was = network._before[name].clone()
    network._before[name].fill_(float("nan"))
    try:
        with pytest.raises(Problem, match="no number any more"):
            list(student.fit(features, [FitRequest("k", np.arange(60), classes, 3, seed=0)]))
    finally:
        network._before[name].copy_(was)


def test_rows_of_an_llm_can_count_less(tiny: str) -> None:
    texts, classes = texts_with_cues(150)
    # Two rows of an LLM for each human one, and all of them wrong.
    rows = np.tile(np.arange(120), 3)
    targets = np.concatenate([classes[:120], *[(classes[:120] + 1) % 3] * 2])
    from_llm = np.arange(360) >= 120
    right = {}
    for way in ("uniform", "synthetic", "quality"):
        student = quick(tiny, learning_rate=0.003, weighting=way, synthetic_weight=0.01)
        features = features_of(student, texts)
        request = FitRequest("k", rows, targets, 3, seed=0, is_synthetic=from_llm)
        (fitted,) = student.fit(features, [request])
        said = student.predict(fitted, features, np.arange(120, 150)).argmax(axis=1)
        right[way] = (said == classes[120:]).mean()
    # Under six seeds uniform came to 0.0, quality to 0.63 to 0.83, and synthetic to 1.0.
    assert right["synthetic"] > 0.8 and right["quality"] > 0.5 and right["uniform"] < 0.2, right


def test_quality_is_for_classes(tiny: str) -> None:
    task = task_of("grade").learning_as("number")
    rows = read(task, KINDS["grade"].rows(30, 1))
    with pytest.raises(Problem, match="defined for classes"):
        taught(quick(tiny, weighting="quality"), task, rows, 30)


def test_more_layers_cannot_be_frozen_than_there_are(tiny: str) -> None:
    texts, classes = texts_with_cues(30)
    student = quick(tiny, frozen_layers=2)
    request = FitRequest("k", np.arange(30), classes, 3, seed=0)
    with pytest.raises(Problem, match="has 1 layers"):
        list(student.fit(features_of(student, texts), [request]))


MODELS = ["bert", "roberta", "xlm-roberta", "camembert", "distilbert", "electra"]


def deep(folder: Path, model: str) -> str:
    """Save a random encoder of three layers, of a kind that people fine-tune."""
    import torch
    import transformers as hf

    save_tiny_encoder(folder, ["so", "it", "is", "here", *CUES])
    size = {"vocab_size": 20, "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 3,
            "intermediate_size": 32, "max_position_embeddings": 64}  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = {
            "bert": lambda: hf.BertModel(hf.BertConfig(**size)),
            "roberta": lambda: hf.RobertaModel(hf.RobertaConfig(**size, pad_token_id=0)),
            "xlm-roberta": lambda: hf.XLMRobertaModel(hf.XLMRobertaConfig(**size, pad_token_id=0)),
            "camembert": lambda: hf.CamembertModel(hf.CamembertConfig(**size, pad_token_id=0)),
            "electra": lambda: hf.ElectraModel(hf.ElectraConfig(**size, embedding_size=8)),
            "distilbert": lambda: hf.DistilBertModel(
                hf.DistilBertConfig(vocab_size=20, dim=16, n_heads=2, n_layers=3, hidden_dim=32,
                                    max_position_embeddings=64)
            ),
        }[model]()  # fmt: skip
        made.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("frozen_layers", [0, 2])
def test_a_last_layer_that_makes_the_first_token_alone_changes_nothing(
    model: str, frozen_layers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from core.students import _network

    # Texts of unlike lengths, so that there is something to mask.
    texts, _ = texts_with_cues(12)
    texts = [text + " so it is" * (i % 3) for i, text in enumerate(texts)]
    student = Finetune(encoder=deep(tmp_path, model), frozen_layers=frozen_layers)
    tokens = features_of(student, texts).values
    found = []
    for is_short in (True, False):
        if not is_short:
            monkeypatch.setattr(_network, "only_first", lambda *given: None)
        network = _network.Network(Path(student.encoder), "class", 3, frozen_layers, "cpu", False)
        network.begin(0)
        network.learning(is_on=False)
        network.keep_lower(tokens)
        layer = network._layers[-1]
        assert ("forward" in vars(layer)) == (is_short and model != "distilbert")
        made = network.scores(tokens, np.arange(12))
        (made * torch.arange(1, 4)).sum().backward()
        gradients = {
            name: value.grad.numpy().copy()
            for name, value in network._parameters().items()
            if value.grad is not None
        }
        found.append((made.detach().numpy(), gradients))
    np.testing.assert_allclose(found[0][0], found[1][0], atol=1e-6)
    assert found[0][1].keys() == found[1][1].keys()
    assert any("layer.2." in name for name in found[0][1])
    for name, gradient in found[0][1].items():
        np.testing.assert_allclose(gradient, found[1][1][name], atol=1e-5, err_msg=name)


def test_marks_need_every_token_of_the_last_layer(tmp_path: Path) -> None:
    from core.students._network import Network

    folder = Path(deep(tmp_path, "bert"))
    assert "forward" not in vars(Network(folder, "tags", 3, 0, "cpu", False)._layers[-1])
    # One that is frozen is kept, token by token.
    assert "forward" not in vars(Network(folder, "class", 3, 3, "cpu", False)._layers[-1])


@pytest.mark.parametrize("model", MODELS)
def test_what_frozen_layers_made_is_what_they_would_make_again(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.students import _network

    folder = deep(tmp_path, model)
    texts, classes = texts_with_cues(60)
    found = []
    for most in (_network.MOST_KEPT_BYTES, 0):
        monkeypatch.setattr(_network, "MOST_KEPT_BYTES", most)
        _network.network_for.cache_clear()
        student = Finetune(encoder=folder, frozen_layers=2, epochs=2, learning_rate=0.01)
        features = features_of(student, texts)
        (fitted,) = student.fit(
            features, [FitRequest("k", np.arange(40), classes[:40], 3, seed=0)]
        )  # fmt: skip
        network = _network.network_for(
            encoders.Encoder(folder, "", 128), "class", 3, 2, "auto", "cpu"
        )
        assert (network._kept is not None) == (most > 0 and model in _network.CACHED)
        before, after = network._before, fitted.model.weights
        changed = {name for name in after if not np.array_equal(after[name], before[name].numpy())}
        assert not any(f"layer.{i}." in name for name in changed for i in (0, 1))
        assert not any("embeddings" in name for name in changed)
        assert any("layer.2." in name for name in changed)
        found.append(student.predict(fitted, features, np.arange(40, 60)))
    np.testing.assert_allclose(*found, atol=1e-5)


def test_words_are_read_at_their_first_token_in_every_window(tiny: str) -> None:
    text = "so it is here ripe so it is here fast so it is here calm"
    words = tokens(text)
    examples = [Example(text, word=word) for word in words]
    found = tokens_of(encoders.tokenizer(Path(tiny)), examples, 8)
    assert len(found.starts) - 1 == 3 and max(found.lengths) == 8
    cutter = encoders.tokenizer(Path(tiny))
    for word, sequence, place in zip(words, found.sequence, found.place, strict=True):
        token = found.ids[found.starts[sequence] + place]
        assert token == cutter.token_to_id(text[word[0] : word[1]])


def test_the_place_that_is_looked_from_is_marked(tiny: str) -> None:
    text = "so ripe it ripe is"
    anchors = [(3, 7), (11, 15)]
    examples = [Example(text, word=(0, 2), anchor=anchor) for anchor in anchors]
    found = tokens_of(encoders.tokenizer(Path(tiny)), examples, 64)
    marked = np.split(found.marked, found.starts[1:-1])
    assert [one.tolist() for one in marked] == [[0, 1, 0, 0, 0], [0, 0, 0, 1, 0]]


def test_batches_hold_every_row_once_and_like_lengths_together() -> None:
    lengths = np.random.default_rng(0).integers(5, 60, size=333)
    made = batches(lengths, Finetune(batch_size=16)._course, np.random.default_rng(1))
    assert sorted(np.concatenate(made).tolist()) == list(range(333))
    padded = sum(len(some) * lengths[some].max() for some in made)
    assert padded < 1.1 * lengths.sum()


def test_batches_by_tokens_hold_no_more_of_them() -> None:
    lengths = np.random.default_rng(0).integers(5, 60, size=333)
    course = Finetune(batch_tokens=256)._course
    made = batches(lengths, course, np.random.default_rng(1))
    assert sorted(np.concatenate(made).tolist()) == list(range(333))
    padded = [len(some) * lengths[some].max() for some in made]
    assert max(padded) <= 256 and np.mean(padded) > 200
    # A text that is longer than that is read alone.
    assert all(len(some) == 1 for some in batches(lengths + 256, course, np.random.default_rng(1)))


@pytest.mark.parametrize("kind", ["classify", "choice", "spans"])
def test_every_kind_is_learned_in_batches_by_tokens(
    kind: str, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.students import _network

    _network.network_for.cache_clear()
    seen: list[int] = []
    scores = _network.Network.scores

    def counted(self: Any, tokens: Any, sequences: np.ndarray) -> Any:
        seen.append(int(len(sequences) * tokens.lengths[sequences].max()))
        return scores(self, tokens, sequences)

    monkeypatch.setattr(_network.Network, "scores", counted)
    task = task_of(kind)
    rows = read(task, KINDS[kind].rows(N_TRAIN, 1))[:N_TRAIN]
    student = quick(tiny, epochs=40, patience=40, development_share=0.0, batch_tokens=150)
    course, learned = taught(student, task, rows)
    assert max(seen) <= 150 and learned.n_steps == len(seen)
    said = course.answers(learned, range(N_TRAIN))
    found = task.score([label for _, label in rows], said.labels, said.chances)
    assert found[KINDS[kind].metric] > 1.5 * KINDS[kind].chance


def test_the_rate_grows_then_falls_to_nothing() -> None:
    found = [rate(step, 10, 100) for step in range(100)]
    assert found[:10] == sorted(found[:10]) and found[10] == 1.0
    assert found[10:] == sorted(found[10:], reverse=True) and 0 < found[-1] < 0.02


def test_published_settings_are_settings() -> None:
    for name, preset in Finetune.presets.items():
        made = make(Finetune, "finetune", preset.settings)
        assert preset.title and preset.source
        assert {key: getattr(made, key) for key in preset.settings} == dict(preset.settings), name


def test_both_students_of_an_encoder_name_it_alike() -> None:
    for name in ("encoder", "revision"):
        mine, other = Finetune.model_fields[name], Frozen.model_fields[name]
        assert (mine.description, mine.default) == (other.description, other.default)


def test_words_that_take_no_part_change_nothing(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import nullcontext

    from core.students._network import Network

    texts, classes = texts_with_cues(60)
    student = quick(tiny, epochs=3, weight_decay=0.0)
    features = features_of(student, texts)
    request = FitRequest("k", np.arange(40), classes[:40], 3, seed=0)
    found = []
    for patched in (False, True):
        if patched:
            monkeypatch.setattr(Network, "words_of", lambda self, *_: nullcontext())
        (fitted,) = student.fit(features, [request])
        found.append(student.predict(fitted, features, np.arange(40, 60)))
    np.testing.assert_allclose(*found, atol=1e-5)


def test_human_rows_to_develop_on_are_beyond_the_training_rows_and_paid(
    project: str, tiny: str
) -> None:
    budget.set_prices(project, Prices(human_usd=1.0, synthetic_usd=0.1))
    settings = {"n_total": 12, "ratios": [0, 1], "seeds": 1}
    asked = train.StudyRequest(
        settings=settings, student="finetune",
        student_settings={"encoder": tiny, "learning_rate": 0.01, "epochs": 3, "patience": 3},
    )  # fmt: skip
    plain = train.outline(project, asked).trials
    more = replace(asked, vary={"development_rows": [9]})
    trials = train.outline(project, more).trials
    assert [trial.n_human for trial in trials] == [trial.n_human for trial in plain] == [12, 0]
    assert [a.cost_usd - b.cost_usd for a, b in zip(trials, plain, strict=True)] == [9.0, 9.0]
    assert not {trial.key for trial in trials} & {trial.key for trial in plain}
    study, job = train.launch(project, more)
    assert train.wait(job).state == "done"
    rows, _ = pooling.pool_rows(project)
    draws = Draws(rows, train.task_of(project).strata)
    for trial in trials:
        mixture = Mixture(**trial.mixture)
        drawn, held_out = draws.draw(mixture, 0), draws.development(mixture, 0)
        assert len(held_out) == 9 and not set(held_out) & set(drawn)
        assert {rows[i].source for i in held_out} == {"human"}
    assert any("9 more human rows" in note for note in curves.curve(project, study).notes)
    keys = [row["trial"] for row in tables.table(project, study)]
    made = [points.made_by(project, study, key) for key in keys]
    assert all(len(one.trained_on) == 12 for one in made)
    assert all(epoch[1] is not None for one in made for epoch in one.trainings[0]["epochs"])
    short = train.outline(project, replace(asked, vary={"development_rows": [10_000]}))
    assert not short.trials and "to develop on wanted" in short.left_out[0].reason


def test_a_development_row_of_a_class_that_a_trial_lacks_decides_nothing(tiny: str) -> None:
    texts, classes = texts_with_cues(90)
    train_rows = np.flatnonzero(classes[:60] != 2)
    student = quick(tiny, epochs=2)
    features = features_of(student, texts)
    found = []
    for held_out in (np.arange(60, 90), 60 + np.flatnonzero(classes[60:] != 2)):
        request = FitRequest("k", train_rows, classes[train_rows], 3, seed=0, development=held_out,
                             development_targets=classes[held_out])  # fmt: skip
        (fitted,) = student.fit(features, [request])
        found.append(fitted.about["epochs"])
    assert found[0] == found[1]


def test_a_text_is_read_as_far_as_the_encoder_has_places(tiny: str) -> None:
    long = " ".join(["so it is here ripe"] * 40)
    student = quick(tiny, epochs=1, max_length=512)
    features = features_of(student, [long, "calm", "ripe", ""])
    assert features.values.lengths.tolist() == [64, 1, 1, 0]
    (fitted,) = student.fit(
        features, [FitRequest("k", np.arange(4), np.array([0, 1, 0, 1]), 2, seed=0)]
    )  # fmt: skip
    assert student.predict(fitted, features, np.arange(4)).shape == (4, 2)
    (told,) = quick(tiny, max_length=16).remarks([Example(long), Example("calm")])
    assert told.startswith("1 of 2 texts have more than 16 tokens")
