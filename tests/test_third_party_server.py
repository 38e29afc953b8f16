"""A server that is not ours answers over OpenAI's protocol: `transformers serve`, a tiny model.

What other tests know of servers, they know of one that was written for them.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.errors import ProviderStop, ProviderWait
from core.providers.openai_compatible import OpenAICompatible
from core.records import Prompt
from tests import tiny_llm
from tests.serving import until

SCHEMA = {"type": "object", "properties": {"label": {"enum": ["sea", "sky"]}}}


@dataclass
class Served:
    """The server's address, the model's name there, its process and its log."""

    url: str
    model: str
    process: subprocess.Popen[bytes]
    log: Path

    def is_up(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False

    def n_received(self) -> int:
        return self.log.read_text().count("[Request received]")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    for package in ("fastapi", "uvicorn", "accelerate"):
        pytest.importorskip(package, reason=f"transformers serve needs {package}")
    model, log = tiny_llm.save(tmp_path / "tiny-llm"), tmp_path / "server.log"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("wb") as writes:
        process = subprocess.Popen(
            [sys.executable, "-m", "transformers.cli.transformers", "serve", str(model),
             "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"],
            env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=writes, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        server = Served(f"http://127.0.0.1:{port}", str(model), process, log)
        until(server.is_up, "transformers serve to start", 240)
        yield server
    finally:
        process.kill()
        process.wait()


def prompt_for(draw: int = 0) -> Prompt:
    return Prompt("You label.", '{"item": {"text": "wave"}}', SCHEMA, "sea", draw, 1)


@pytest.mark.slow
def test_a_server_of_somebody_elses_answers_and_says_what_is_wrong(served: Served) -> None:
    def asking(**settings: object) -> OpenAICompatible:
        known = {"base_url": f"{served.url}/v1", "model": served.model, "max_tokens": 16, "seed": 1}
        return OpenAICompatible(**{**known, **settings, "timeout_seconds": 300})

    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(served.model)
    shown = tokenizer.apply_chat_template(
        prompt_for().messages, tokenize=False, add_generation_prompt=True
    )
    n_shown = len(tokenizer(shown, add_special_tokens=False)["input_ids"])

    first = asking().complete(prompt_for())
    assert first.finish == "length" and first.text
    assert (first.input_tokens, first.output_tokens) == (n_shown, 16)
    assert first.model.startswith(served.model) and first.raw_id and first.seconds > 0

    again, other = (asking().complete(prompt_for(draw)) for draw in (0, 1))
    assert again.text == first.text != other.text

    # This server takes a JSON schema and drops it, so its model has to be shown it in words.
    in_words = asking(structured=False).complete(prompt_for())
    assert in_words.finish in ("stop", "length", "failed")
    assert in_words.input_tokens is not None and in_words.input_tokens > n_shown + 50

    with pytest.raises(ProviderStop, match=r"refused the request \(400\).*'another/model'"):
        asking(model="another/model").complete(prompt_for())
    with pytest.raises(ProviderStop, match="knows no model"):
        asking(base_url=f"{served.url}/nothing/here").complete(prompt_for())

    n_before = served.n_received()
    with ThreadPoolExecutor(1) as pool:
        # The draw that did not end within 16 tokens, so there is time to kill the server in it.
        waiting = pool.submit(asking(max_tokens=4000).complete, prompt_for())
        until(lambda: served.n_received() > n_before, "the request to arrive")
        served.process.kill()
        with pytest.raises(ProviderWait) as broken_off:
            waiting.result()
    assert broken_off.value.may_cost
    with pytest.raises(ProviderWait) as not_there:
        asking().complete(prompt_for())
    assert not not_there.value.may_cost
