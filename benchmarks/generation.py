"""How close to a provider's own speed does a generation run come, and does memory stay flat?

`python benchmarks/generation.py [--requests 2000] [--peer VENV]`. A server on loopback answers
every request after one second, whoever asks. The ideal is requests / 64 in flight seconds. Admix
runs as users run it, in a worker process, every request and reply fsynced and kept in the database.
The peer, where its own environment is given, is distilabel's OpenAILLM with batches of 64.

`--kills 30` stops a 2,000-sample run instead, with kill -9 at random moments, and compares.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from core import actions
from core.actions import generate, home, imports
from core.actions.session import Session
from core.formats import write_csv
from core.records import Price
from core.store import runs, samples
from core.store.samples import Filter

AT_ONCE = 64
N_IN, N_OUT = 300, 120
PRICE = Price(1.0, 4.0, "typed", "a benchmark")
A_CALL = PRICE.of(N_IN, N_OUT)
SEA = "wave tide shell harbour sail anchor gull salt reef fish rope deck mast bay"
SEA_WORDS = SEA.split()
PEER = """
import sys, time
from distilabel.models import OpenAILLM
url, n = sys.argv[1], int(sys.argv[2])
llm = OpenAILLM(model="m", base_url=url, api_key="none", generation_kwargs={"max_new_tokens": 200})
llm.load()
prompts = [[{"role": "user", "content": f"write one text, number {i}"}] for i in range(n)]
started = time.perf_counter()
n_back = 0
for first in range(0, n, 64):
    n_back += len(llm.generate_outputs(inputs=prompts[first:first + 64], num_generations=1))
print(time.perf_counter() - started, n_back)
"""


class Server:
    """A vendor on loopback that answers after a while, at any number of requests at once."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.n_asked = self.n_answered = self.at_once = self.most_at_once = 0
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        threading.Thread(target=self._run, args=(started,), daemon=True).start()
        started.wait()

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)
        )
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        started.set()
        self._loop.run_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = next(
                    int(line.split(":")[1])
                    for line in head.split("\r\n")
                    if line.startswith("content-length")
                )
                body = json.loads(await reader.readexactly(length))
                self.n_asked += 1
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
                await asyncio.sleep(self.delay)
                self.at_once -= 1
                data = json.dumps(_reply(body)).encode()
                self.n_answered += 1
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    b"Content-Length: " + str(len(data)).encode() + b"\r\n\r\n" + data
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def _reply(body: dict[str, object]) -> dict[str, object]:
    asked = body["messages"][-1]["content"]  # type: ignore[index]
    said: object = asked
    if asked.startswith("{"):
        wanted = json.loads(asked)
        generator = random.Random(f"{asked}{body.get('seed')}")
        said = json.dumps(
            {
                "items": [
                    {
                        "text": " ".join(generator.choices(SEA_WORDS, k=10))
                        + f" {generator.randrange(10**9):09d}",
                        "label": wanted["label"],
                    }
                    for _ in range(wanted["n_items"])
                ]
            }
        )
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}
        ],
        "usage": {"prompt_tokens": N_IN, "completion_tokens": N_OUT, "total_tokens": N_IN + N_OUT},
    }


def project_of(session: Session, name: str) -> str:
    """Make a project of two classes with twelve human rows each, the same ids in each."""
    project = home.create_project(name).id
    rows = [
        {"text": " ".join([*random.Random(i).sample(SEA_WORDS, 6), str(i)]), "label": "ab"[i % 2]}
        for i in range(24)
    ]
    table = imports.read_table("rows.csv", write_csv(["text", "label"], rows).encode())
    imports.import_rows(
        project,
        imports.prepare(project, table, {"text": ["text"], "label": ["label"]}, "train", "human"),
    )
    with session.database.write() as cursor:
        for name_ in ("sample", "sample_now"):
            cursor.execute(
                f"UPDATE {name_} SET id = left(sha256(text), 16) WHERE project = ?", [project]
            )
    return project


def request_of(server: Server, n_samples: int, n_items: int) -> generate.Request:
    """Return a request for so many samples of two classes."""
    return generate.Request(
        "openai_compatible",
        {"base_url": server.url, "model": "m", "at_once": AT_ONCE, "seed": 1},
        strategy_settings={"n_items": n_items},
        targets={"a": n_samples // 2, "b": n_samples // 2},
        price=PRICE,
    )


def peak_mb(pid: int) -> float:
    """Return the most memory that a process has had, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def speed(session: Session, n_requests: int, delay: float, peer: Path | None) -> None:
    """Print seconds, share of the ideal and memory of Admix and, if given, of the peer."""
    server = Server(delay)
    project = project_of(session, f"speed {n_requests}")
    run = generate.launch(project, request_of(server, n_requests, 1))
    job = generate.status(project, run).job
    assert job is not None
    part = session.runner._running[job.id].parts[0]
    seen: list[tuple[int, float]] = []
    while server.n_asked == 0:
        time.sleep(0.005)
    started = time.perf_counter()
    while server.n_answered < n_requests:
        time.sleep(0.02)
        if server.n_answered >= (len(seen) + 1) * n_requests / 10:
            seen.append((server.n_answered, peak_mb(part.pid)))
    seconds = time.perf_counter() - started
    generate.wait(run)
    ideal = n_requests / AT_ONCE * delay
    print(f"{n_requests:,} requests, {delay:g} s each, {server.most_at_once} at once at most")
    print(f"  ideal        {ideal:8.1f} s")
    print(f"  Admix        {seconds:8.1f} s   {ideal / seconds:6.1%} of the ideal")
    told = ", ".join(f"{mb:.0f} MB at {n:,}" for n, mb in seen[:: max(1, len(seen) // 4)])
    print(f"  worker's peak memory: {told}")
    if peer:
        out = subprocess.run(
            [peer / "bin" / "python", "-c", PEER, server.url, str(n_requests)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if out.returncode:
            sys.exit(out.stderr[-2000:])
        taken = float(out.stdout.split()[0])
        print(f"  distilabel   {taken:8.1f} s   {ideal / taken:6.1%} of the ideal")


def kills(session: Session, n_kills: int) -> None:
    """Print what a run that was killed again and again made, beside one that was not."""
    generator = random.Random(7)
    texts = []
    for name in ("calm", "killed"):
        server = Server(0.05)
        project = project_of(session, name)
        run = generate.launch(project, request_of(server, 2_000, 2))
        n_done = 0
        while name == "killed" and n_done < n_kills:
            job = generate.status(project, run).job
            assert job is not None
            running = session.runner._running.get(job.id)
            aim = server.n_answered + generator.randrange(5, 31)
            while running and running.parts[0].poll() is None and server.n_answered < aim:
                time.sleep(0.002)
            if not running or running.parts[0].poll() is not None:
                break
            os.kill(running.parts[0].pid, signal.SIGKILL)
            generate.wait(run)
            n_done += 1
            generate.resume(job.id)
        state = generate.wait(run).state
        account = generate.status(project, run).account
        kept = runs.usage(session.database, project)["n"]
        page = samples.page(session.database, project, Filter(source="synthetic"), 10_000)
        texts.append(sorted(row.text for row in page))
        print(
            f"{name}: {state}, {n_done} kills, {len(page):,} samples, {kept:,} completions kept,"
            f" {server.n_asked:,} asked; spent ${account.spent_usd:.4f}"
            f" ({kept * A_CALL:.4f} expected), lost in flight ${account.lost_usd:.4f}"
        )
        print(f"  asked again: {server.n_asked - kept:,} of {server.n_asked:,}")
    print("the same samples" if texts[0] == texts[1] else "OTHER SAMPLES")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2_000)
    parser.add_argument("--delay", type=float, default=1.0)
    parser.add_argument("--peer", type=Path, help="an environment that distilabel is installed in")
    parser.add_argument("--kills", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        session = actions.start(folder, "a benchmark")
        try:
            if arguments.kills:
                kills(session, arguments.kills)
            else:
                speed(session, arguments.requests, arguments.delay, arguments.peer)
        finally:
            actions.stop()


if __name__ == "__main__":
    main()
