"""Every student learns what is planted, repeats, and keeps its trials apart."""

import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from test_encoders import save_tiny_encoder
from threadpoolctl import threadpool_limits

from core import registry
from core.encoders import encode
from core.errors import Problem
from core.students.base import Features, FitRequest, Fitted, Student
from core.students.frozen import Frozen
from core.students.tfidf import Tfidf
from core.tasks.base import Example

CUES = (("ripe", "sweet", "juicy"), ("fast", "loud", "metal"), ("calm", "cold", "deep"))
FILLER = ("the", "one", "here", "is", "rather", "so", "they", "said", "and", "it", "was", "seen")
N_CLASSES = len(CUES)
N_TRAIN, N_TEST = 150, 90
TRAIN = np.arange(N_TRAIN)
TEST = np.arange(N_TRAIN, N_TRAIN + N_TEST)


def planted() -> tuple[list[str], np.ndarray]:
    """Return texts of filler with one cue of their class, and their classes."""
    rng = np.random.default_rng(0)
    labels = rng.integers(N_CLASSES, size=N_TRAIN + N_TEST)
    texts = []
    for label in labels:
        words = [*rng.choice(FILLER, size=5), rng.choice(CUES[label])]
        texts.append(" ".join(rng.permutation(words)))
    return texts, labels


TEXTS, LABELS = planted()


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = [*FILLER, *(cue for cues in CUES for cue in cues)]
    return save_tiny_encoder(tmp_path_factory.mktemp("students"), words)


@pytest.fixture(params=registry.member_ids("students"))
def student(request: pytest.FixtureRequest, tiny_folder: Path) -> Student:
    """Return each student; one with an encoder gets a tiny random one, and learns it fast."""
    cls = registry.member("students", request.param)
    wanted = {"encoder": str(tiny_folder), "learning_rate": 0.01, "epochs": 12, "patience": 12}
    settings = {name: value for name, value in wanted.items() if name in cls.model_fields}
    return registry.make(Student, request.param, settings)


@pytest.fixture
def requests_() -> list[FitRequest]:
    """Return trials that differ in rows, in size, in weights and in seed."""
    rng = np.random.default_rng(1)
    draws = [rng.permutation(N_TRAIN)[:size] for size in (150, 60, 60, 30)]
    weights = [None, None, rng.uniform(0.5, 2, size=60), None]
    return [
        FitRequest(f"trial {i}", rows, LABELS[rows], N_CLASSES, seed=i, weights=weight)
        for i, (rows, weight) in enumerate(zip(draws, weights, strict=True))
    ]


def encoded(student: Student, texts: list[str], *more: object) -> Features:
    return student.encode([[Example(text)] for text in texts], "class", *more)


def request_for(rows: np.ndarray, targets: np.ndarray | None = None, **more: object) -> FitRequest:
    targets = LABELS[rows] if targets is None else targets
    return FitRequest("only", rows, targets, N_CLASSES, seed=0, **more)


def last_of(fitted: Iterator[Fitted]) -> dict[str, Fitted]:
    """Return each request's last step."""
    return {step.key: step for step in fitted}


def probabilities(student: Student, features: object, request: FitRequest) -> np.ndarray:
    fitted = last_of(student.fit(features, [request]))[request.key]
    return student.predict(fitted, features, TEST)


def accuracy(found: np.ndarray) -> float:
    return float((found.argmax(axis=1) == LABELS[TEST]).mean())


# The contract of the family


@pytest.mark.parametrize("member_id", registry.member_ids("students"))
def test_a_student_says_what_it_and_each_setting_is(member_id: str) -> None:
    cls = registry.member("students", member_id)
    assert cls.title and cls.__doc__
    assert "class" in cls.heads
    for name, field in cls.model_fields.items():
        assert field.description, name
        assert not field.is_required(), name
    assert cls().to_json()["kind"] == member_id


def test_a_student_comes_back_from_json(student: Student) -> None:
    data = json.loads(json.dumps(student.to_json()))
    again = registry.from_json(Student, data)
    assert again == student
    assert again.fingerprint() == student.fingerprint()
    with pytest.raises(ValidationError):
        student.C = 1.0


def test_labels_are_never_seen_by_encode(student: Student) -> None:
    asked = list(inspect.signature(student.encode).parameters)
    assert asked == ["runs", "head", "cache", "progress"]


def test_a_student_beats_chance_on_planted_data(student: Student, tmp_path: Path) -> None:
    found = probabilities(student, encoded(student, TEXTS, tmp_path), request_for(TRAIN))
    assert accuracy(found) > 0.7


def test_probabilities_are_float32_and_sum_to_1(
    student: Student, requests_: list[FitRequest]
) -> None:
    features = encoded(student, TEXTS)
    for fitted in student.fit(features, requests_):
        found = student.predict(fitted, features, TEST)
        assert found.shape == (N_TEST, N_CLASSES)
        assert found.dtype == np.float32
        assert found.min() >= 0
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
        assert fitted.n_steps > 0
        assert student.predict(fitted, features, TEST[:0]).shape == (0, N_CLASSES)


def test_the_same_seed_gives_the_same_probabilities(student: Student) -> None:
    first = probabilities(student, encoded(student, TEXTS), request_for(TRAIN))
    second = probabilities(student, encoded(student, TEXTS), request_for(TRAIN))
    np.testing.assert_array_equal(first, second)


def test_a_trial_is_the_same_alone_or_among_others_in_any_order(
    student: Student, requests_: list[FitRequest]
) -> None:
    features = encoded(student, TEXTS)
    among = last_of(student.fit(features, requests_))
    backward = last_of(student.fit(features, requests_[::-1]))
    assert set(among) == {request.key for request in requests_}
    for request in requests_:
        alone = probabilities(student, features, request)
        for others in (among, backward):
            with_others = student.predict(others[request.key], features, TEST)
            np.testing.assert_array_equal(alone, with_others)


def test_a_trial_is_the_same_on_one_thread_or_more(student: Student) -> None:
    features = encoded(student, TEXTS)
    found = []
    for n in (1, 2):
        with threadpool_limits(n):
            found.append(probabilities(student, features, request_for(TRAIN)))
    np.testing.assert_array_equal(*found)


def test_a_class_without_rows_is_never_predicted(student: Student) -> None:
    features = encoded(student, TEXTS)
    rows = TRAIN[LABELS[TRAIN] != 1]
    found = probabilities(student, features, request_for(rows))
    assert not found[:, 1].any()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_the_only_class_is_certain(student: Student) -> None:
    rows = TRAIN[LABELS[TRAIN] == 2]
    found = probabilities(student, encoded(student, TEXTS), request_for(rows))
    np.testing.assert_array_equal(found, np.tile([0, 0, 1], (N_TEST, 1)))


def test_rows_of_little_weight_teach_little(student: Student) -> None:
    features = encoded(student, TEXTS)
    rows = np.concatenate([TRAIN, TRAIN])
    wrong = np.concatenate([LABELS[TRAIN], (LABELS[TRAIN] + 1) % N_CLASSES])
    weights = np.repeat([1.0, 0.001], N_TRAIN)
    heeded = accuracy(probabilities(student, features, request_for(rows, wrong, weights=weights)))
    ignored = accuracy(probabilities(student, features, request_for(rows, wrong)))
    assert heeded > 0.7 > ignored


def test_a_trial_without_rows_is_refused(student: Student) -> None:
    with pytest.raises(Problem, match="no rows"):
        list(student.fit(encoded(student, TEXTS), [request_for(TRAIN[:0])]))


HEAVY = ("torch", "transformers", "sklearn", "scipy", "tokenizers", "huggingface_hub")


def test_importing_the_students_loads_nothing_heavy() -> None:
    code = (
        "import sys, json, core.encoders, core.students.base, core.students.frozen, "
        "core.students.tfidf; core.students.frozen.Frozen().fingerprint(); "
        "print(json.dumps(sorted(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(json.loads(said.stdout))


# TF-IDF


@pytest.mark.parametrize("ngram_max", [1, 2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_tfidf_is_scikit_learns_fitted_on_the_trials_texts_alone(
    ngram_max: int, weighted: bool
) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    texts = [text.replace("deep", "déép déép").title() for text in TEXTS]
    student = Tfidf(ngram_max=ngram_max, C=5.0)
    features = encoded(student, texts)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        rows = rng.integers(N_TRAIN, size=50)
        weights = rng.uniform(0.1, 3, size=50) if weighted else None
        found = probabilities(student, features, request_for(rows, weights=weights))

        vectorizer = TfidfVectorizer(
            ngram_range=(1, ngram_max), sublinear_tf=True, strip_accents="unicode"
        )
        classifier = LogisticRegression(C=5.0, max_iter=1000)
        matrix = vectorizer.fit_transform([texts[row] for row in rows])
        classifier.fit(matrix, LABELS[rows], sample_weight=weights)
        expected = classifier.predict_proba(vectorizer.transform([texts[row] for row in TEST]))
        np.testing.assert_allclose(found, expected, atol=1e-6)
        np.testing.assert_array_equal(found.argmax(axis=1), expected.argmax(axis=1))


def test_tfidf_of_rows_without_words_answers_with_the_shares_of_classes() -> None:
    student = Tfidf()
    features = encoded(student, ["?", "!", "?!", "!!", "a word"])
    request = FitRequest("only", np.arange(4), np.array([0, 0, 0, 1]), 3, seed=0)
    (fitted,) = student.fit(features, [request])
    found = student.predict(fitted, features, np.array([0, 4]))
    np.testing.assert_allclose(found, [[0.75, 0.25, 0]] * 2)


def test_tfidf_of_texts_without_words_says_so() -> None:
    with pytest.raises(Problem, match="No text holds a word"):
        encoded(Tfidf(), ["?", "!"])


@pytest.mark.parametrize("settings", [{"ngram_max": 4}, {"ngram_max": 0}, {"C": 0}, {"c": 1}])
def test_tfidf_refuses_what_is_out_of_bounds(settings: dict[str, float]) -> None:
    with pytest.raises(Problem, match=next(iter(settings))):
        registry.make(Student, "tfidf", settings)


# Frozen encoder


def test_frozen_learns_from_the_embedded_encoder_what_words_alone_do_not_say() -> None:
    train = [
        ("I adore this phone", 0), ("What a wonderful evening", 0), ("Brilliant acting", 0),
        ("The meal tasted superb", 0), ("Lovely, friendly staff", 0), ("We had great fun", 0),
        ("I hate this laptop", 1), ("What a dreadful morning", 1), ("Terrible writing", 1),
        ("The soup was disgusting", 1), ("Rude, lazy waiters", 1), ("We were bored to tears", 1),
    ]  # fmt: skip
    test = [
        ("An excellent book that delighted me", 0), ("They were kind and helpful", 0),
        ("Awful service, never again", 1), ("It broke at once and annoyed me", 1),
    ]  # fmt: skip
    student = Frozen()
    features = encoded(student, [text for text, _ in train + test])
    targets = np.array([label for _, label in train])
    (fitted,) = student.fit(features, [FitRequest("only", np.arange(12), targets, 2, seed=0)])
    found = student.predict(fitted, features, np.arange(12, 16))
    assert found.argmax(axis=1).tolist() == [label for _, label in test]


def test_frozen_keeps_its_vectors(tiny_folder: Path, tmp_path: Path) -> None:
    student = Frozen(encoder=str(tiny_folder), max_length=16)
    said: list[tuple[int, int]] = []
    vectors = encoded(student, TEXTS, tmp_path, lambda *pair: said.append(pair)).values
    np.testing.assert_array_equal(vectors, encode(student._encoder, TEXTS))
    assert [path.name for path in tmp_path.iterdir()] == [student.fingerprint()]
    assert said[-1] == (len(set(TEXTS)), len(set(TEXTS)))


def test_frozen_depends_on_its_encoders_files(tiny_folder: Path) -> None:
    tiny = Frozen(encoder=str(tiny_folder))
    assert tiny.fingerprint() != Frozen().fingerprint()
    assert tiny.fingerprint() == Frozen(encoder=str(tiny_folder), C=1.0).fingerprint()


def test_frozen_refuses_a_revision_that_moves() -> None:
    with pytest.raises(Problem, match="revision"):
        registry.make(Student, "frozen", {"encoder": "some/model", "revision": "main"})
