# ruff: noqa: F811
"""What a person sees and types of batches: the choice, what waits, and how it is called off."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.__main__ import run as run_command
from core.actions import batches, generate
from core.actions.session import Session
from tests.fake_batches import FakeBatches
from tests.test_batches import asked, humans, inline, job_of, session, until, vendor  # noqa: F401
from tests.test_batches import waits_at_the_vendor as waits

ROOT = Path(__file__).parents[1]


def told(*words: str) -> tuple[int, str]:
    lines: list[str] = []
    code = run_command(words, ROOT, lambda line, is_error: lines.append(line))
    return code, "\n".join(lines)


def page() -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    at.run()
    at.switch_page("pages/generate.py")
    at.run()
    assert not at.exception
    return at


def said(at: AppTest) -> str:
    return " ".join(one.value for one in [*at.caption, *at.info, *at.markdown])


def test_the_page_compares_price_and_wait_and_shows_what_waits(
    vendor: FakeBatches,
    session: Session,
) -> None:
    project = humans()
    at = page()
    at.selectbox(key="provider").select("openai_chat").run()
    assert not at.exception
    assert "within 24 hours a wait, at least one wait" in said(at)
    vendor.is_held, vendor.n_done_at_cancel = True, 2
    run = generate.launch(project, asked())
    until(lambda: waits(run))
    generate.stop(job_of(project, run))
    generate.wait(run)
    at.run()
    assert not at.exception
    assert "1 batch waits at the vendor" in said(at)
    shown = next(one.value for one in at.dataframe if "vendor_id" in one.value.columns)
    assert shown["vendor_id"].tolist() == ["batch_0"]
    next(button for button in at.button if button.label == "Cancel the batches").click().run()
    assert not at.exception
    ended = generate.wait(run)
    assert (ended.state, batches.of_run(run)[0].state) == ("done", "cancelled")


def test_a_command_may_be_left_and_resumed(
    vendor: FakeBatches,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = humans()
    assert told("run", "resume", "task")[0] == 2
    vendor.is_held = True
    run = generate.launch(project, asked())
    until(lambda: waits(run))
    generate.stop(job_of(project, run))
    generate.wait(run)
    code, words = told("run", "status", "task")
    assert code == 0 and "paused" in words and "batch_0" in words
    vendor.is_held = False
    code, words = told("run", "resume", "task", run)
    assert code == 0 and "30 pseudo-samples" in words
    code, words = told("run", "resume", "task")
    assert code == 2 and "come to its end" in words
    assert told("run", "cancel", "task")[0] == 2


def test_generate_takes_a_mode(vendor: FakeBatches, inline: Session) -> None:
    humans()
    words = ("generate", "task", "--provider", "anthropic_chat", "--model", "m", "--per-class", "5",
             "--usd-per-mtok", "1,1", "--mode", "batch")  # fmt: skip
    code, out = told(*words)
    assert code == 0 and "run resume" in out and "15 pseudo-samples" in out
    assert vendor.sizes == [3]


def test_a_test_set_is_solved_in_batches(vendor: FakeBatches, inline: Session) -> None:
    from core.actions import answers
    from core.records import Price
    from tests.conftest import bring, planted

    project = humans()
    bring(project, planted(4, seed=5), "test", "human")
    request = answers.Request(
        "solve", "openai_chat", {"model": "m"}, price=Price(1000, 1000, "t", "t"), mode="batch"
    )
    assert answers.estimate(project, request).batch_discount == 0.5
    run = answers.launch(project, request)
    assert generate.wait(run).state == "done"
    now = answers.status(project, run)
    assert now.n_read == 12 and vendor.sizes == [12]
    assert now.account.spent_usd == pytest.approx(12 * Price(500, 500, "t", "t").of(400, 100))
