"""How many requests are in flight follows from what the provider bears."""

import random
import threading

import pytest

from core.errors import ProviderStop
from core.jobs import pace
from core.jobs.pace import Pace
from core.jobs.purse import CapReached, Purse
from core.records import Limits


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def never():
    return False


class Nowhere:
    def put(self, *_, **__):
        pass


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(pace, "STEP", 0.0)
    return Clock()


def enter(made, n_tokens=1):
    """Enter at once, or say that there is a wait."""
    tries = iter([False, True])
    return made.enter(n_tokens, lambda: next(tries))


def test_the_window_doubles_until_it_is_told_off_then_grows_by_one_a_round(clock):
    made = Pace(Limits(at_once=64), clock)
    assert made.window == pace.FIRST
    for _ in range(pace.FIRST):
        enter(made)
    for _ in range(pace.FIRST):
        made.answered()
    assert made.window == 2 * pace.FIRST
    went = enter(made)
    clock.now += 1
    made.limited(went, seconds=0.0)
    assert made.window == pace.FIRST
    for _ in range(pace.FIRST + 1):
        enter(made)
        made.answered()
    assert made.window == pace.FIRST + 1


def test_requests_refused_together_halve_the_window_once(clock):
    made = Pace(Limits(at_once=64), clock)
    went = [enter(made) for _ in range(pace.FIRST)]
    clock.now += 1
    for one in went:
        made.limited(one, seconds=0.0)
    assert made.window == pace.FIRST // 2


def test_the_window_stays_between_one_and_what_is_allowed(clock):
    made = Pace(Limits(at_once=20), clock)
    for _ in range(50):
        enter(made)
        made.answered()
    assert made.window == 20
    for _ in range(20):
        clock.now += 1
        went = enter(made)
        clock.now += 1
        made.limited(went, seconds=0.0)
    assert made.window == 1


def test_no_request_goes_before_the_time_the_server_named(clock):
    made = Pace(Limits(), clock)
    went = enter(made)
    made.limited(went, seconds=30.0)
    clock.now += 29.9
    assert enter(made) is None
    clock.now += 0.2
    assert enter(made) is not None


def test_without_a_time_the_wait_doubles_and_an_answer_forgets_it(clock):
    made = Pace(Limits(), clock)
    waits = []
    for _ in range(4):
        clock.now += 1_000
        went = enter(made)
        clock.now += 1
        made.limited(went, seconds=None)
        began = clock.now
        while enter(made) is None:
            clock.now += 0.5
        made.failed()
        waits.append(clock.now - began)
    assert waits == [1.0, 2.0, 4.0, 8.0]
    assert made.limited_seconds > 3_000
    enter(made)
    made.answered()
    assert made.limited_seconds == 0.0


def test_requests_and_tokens_a_minute_are_kept(clock):
    made = Pace(Limits(requests_per_minute=60, tokens_per_minute=6_000), clock)
    n_requests = n_tokens = 0
    for _ in range(6_000):
        clock.now += 0.1
        if enter(made, 50) is not None:
            made.answered()
            n_requests, n_tokens = n_requests + 1, n_tokens + 50
    minutes = 10
    assert 0.95 * 60 * minutes <= n_requests <= 61 * minutes + 6
    slower = Pace(Limits(tokens_per_minute=6_000), clock)
    n_tokens = 0
    for _ in range(6_000):
        clock.now += 0.1
        if enter(slower, 300) is not None:
            slower.answered()
            n_tokens += 300
    assert 0.95 * 6_000 * minutes <= n_tokens <= 6_000 * (minutes + 1)


def test_one_request_larger_than_a_minute_allows_still_goes(clock):
    made = Pace(Limits(tokens_per_minute=100), clock)
    assert enter(made, 10_000) is not None
    made.answered()
    clock.now += 60
    assert enter(made, 10) is None, "what was taken too much is waited for"


@pytest.mark.parametrize("seed", range(200))
def test_the_cap_holds_with_64_in_flight_at_any_price(seed):
    generator = random.Random(seed)
    cap = generator.uniform(0.01, 5.0)
    purse = Purse({"cap_usd": cap, "committed_usd": generator.uniform(0, cap / 2)}, Nowhere())
    prices = [(worst := generator.uniform(0, cap / 8), worst * generator.random())
              for _ in range(100)]  # fmt: skip
    ends = [generator.choice(["spend", "refund", "lost"]) for _ in prices]
    work = iter(list(zip(prices, ends, strict=True)))
    lock, most, stops = threading.Lock(), [0.0], []

    def one():
        while True:
            with lock:
                found = next(work, None)
            if found is None or stops:
                return
            (worst, real), end = found
            try:
                name = purse.reserve("k", worst, never)
            except CapReached as stop:
                stops.append(stop)
                return
            most[0] = max(most[0], purse._committed)
            if end == "spend":
                purse.settle(name, real)
            else:
                purse.release(name, is_lost=end == "lost")
            most[0] = max(most[0], purse._committed)

    threads = [threading.Thread(target=one) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert 0 < most[0] <= cap * (1 + 1e-12)
    assert all(isinstance(stop, ProviderStop) for stop in stops)
