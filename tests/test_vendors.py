"""Whatever a vendor's server does comes out as wait, stop or a completion, and never guessed."""

import json
import random
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import pytest

from core.errors import ProviderStop, ProviderWait
from core.providers import _answers, _bounded, _refusals, anthropic_chat, base, openai_chat
from core.providers._chat import read_reply
from core.providers.anthropic_chat import AnthropicChat, read_message
from core.providers.openai_chat import OpenAIChat
from core.providers.openai_compatible import OpenAICompatible
from core.records import Completion, Finish, Prompt
from tests import fake_vendor
from tests.fake_vendor import FAULTS, N_CACHED, N_OUT, N_PLAIN, N_WRITTEN, TEXT, error, reply

CANARY = "sk-ant-canary-0123456789abcdef"
OTHER_CANARY = "token-of-somebody-else-42"
VENDORS = ["anthropic_chat", "openai_chat", "openai_compatible"]
SCHEMA = {
    "type": "object",
    "properties": {"items": {"type": "array", "items": {"type": "string"}}},
    "required": ["items"],
    "additionalProperties": False,
}


def prompt_for(draw=0, user="Write 事."):
    return Prompt("You write.", user, SCHEMA, "praise", draw, 5)


@pytest.fixture
def vendor():
    with fake_vendor.serving() as server:
        yield server


@pytest.fixture(autouse=True)
def settings(monkeypatch, tmp_path):
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ADMIX_COMPATIBLE_API_KEY"):
        monkeypatch.setenv(name, CANARY)
    monkeypatch.setattr(base, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    # A port, and with it an address, may have been another test's.
    _refusals.forget()
    yield
    _refusals.forget()


def provider_at(name, server, monkeypatch, **settings):
    if name == "openai_compatible":
        return OpenAICompatible(base_url=f"{server.url}/v1", model="served", **settings)
    if name == "openai_chat":
        monkeypatch.setattr(openai_chat, "BASE_URL", f"{server.url}/v1")
        return OpenAIChat(model="served", **settings)
    monkeypatch.setattr(anthropic_chat, "BASE_URL", server.url)
    return AnthropicChat(model="served", **settings)


@pytest.fixture(params=VENDORS)
def provider(request, vendor, monkeypatch):
    return provider_at(request.param, vendor, monkeypatch)


@pytest.fixture
def anthropic(vendor, monkeypatch):
    return provider_at("anthropic_chat", vendor, monkeypatch)


def outcome_of(provider, **prompt):
    """Return the completion or the problem; no key is in either, and no vendor object on it."""
    try:
        outcome = provider.complete(prompt_for(**prompt))
        shown = repr(outcome)
    except (ProviderWait, ProviderStop) as problem:
        outcome = problem
        shown = "".join(traceback.format_exception(problem)) + repr(vars(problem))
        assert problem.__cause__ is problem.__context__ is None
    assert CANARY not in shown
    assert "canary" not in shown
    return outcome


# What each fault means

WAITS = {
    "429": None,
    "429 number": 7,
    "429 date": 3600,
    "429 nonsense": None,
    "408": None,
    "500": None,
    "503 number": 3,
    "529": None,
    "500 page": None,
    "500 half": None,
    "500 bomb": None,
}
MAY_COST = ["reset", "broken off", "half", "nothing", "page", "not utf-8"]
DRIPS = ["drip", "500 drip"]
STOPS = ["400", "401", "403", "404", "413", "302"]
FINISHES = {
    "list": ("failed", ""),
    "empty": ("failed", ""),
    "error in 200": ("failed", ""),
    "echo": ("failed", ""),
    "no text": ("failed", ""),
    "blank": ("failed", " \n"),
    "refusal": ("refused", None),
    "truncation": ("length", '{"items": ["a'),
    "wrong schema": ("stop", '{"other": 1}'),
    "wrong label": ("stop", '{"items": [{"text": "t", "label": "none of yours"}]}'),
    "no JSON in text": ("stop", "Here you are: a"),
    "extra fields": ("stop", TEXT),
    "echo in text": ("stop", None),
}


def test_every_fault_has_a_meaning():
    assert {*WAITS, *MAY_COST, *DRIPS, *STOPS, *FINISHES} == set(FAULTS)


@pytest.mark.parametrize("fault", WAITS)
def test_what_passes_waits_as_long_as_the_server_asks(provider, vendor, fault):
    vendor.order(fault)
    problem = outcome_of(provider)
    assert isinstance(problem, ProviderWait)
    asked = WAITS[fault]
    assert problem.seconds == (asked and pytest.approx(asked, abs=600 if asked > 9 else 0))
    assert not problem.may_cost
    assert len(vendor.received) == 1


@pytest.mark.parametrize("fault", MAY_COST)
def test_an_answer_lost_on_its_way_waits_and_may_have_cost(provider, vendor, fault):
    vendor.order(fault)
    problem = outcome_of(provider)
    assert isinstance(problem, ProviderWait)
    assert problem.may_cost
    assert len(vendor.received) == 1


@pytest.mark.parametrize("fault", DRIPS)
def test_what_drips_is_left_at_the_time_out(provider, vendor, fault):
    vendor.order(fault)
    hasty = provider.model_copy(update={"timeout_seconds": 0.3})
    assert isinstance(outcome_of(hasty), ProviderWait)
    assert not vendor.was_read_to_the_end


@pytest.mark.parametrize("fault", STOPS)
def test_what_no_retry_mends_stops(provider, vendor, fault):
    vendor.order(fault)
    assert isinstance(outcome_of(provider), ProviderStop)
    assert len(vendor.received) == 1


@pytest.mark.parametrize("fault", FINISHES)
def test_what_came_whole_is_a_completion_whatever_it_says(provider, vendor, fault):
    vendor.order(fault)
    completion = outcome_of(provider)
    finish, text = FINISHES[fault]
    assert completion.finish == finish
    assert text is None or completion.text == text
    assert finish == "stop" or completion.detail or finish == "length"
    assert len(vendor.received) == 1


def test_a_refusal_comes_with_the_vendors_reason(provider, vendor):
    vendor.order("refusal")
    assert outcome_of(provider).detail == fake_vendor.REFUSAL


def test_a_server_is_read_up_to_a_bound(provider, vendor, monkeypatch):
    monkeypatch.setattr(_bounded, "MAX_BYTES", 100_000)
    large = json.dumps(" " * 5_000_000).encode()
    vendor.order((200, large, {}), (500, large, {}))
    assert "half an answer" in str(outcome_of(provider))
    assert "500" in str(outcome_of(provider))


def test_answers_after_faults_are_read_as_ever(provider, vendor):
    vendor.order("500", "reset", "half")
    for _ in range(3):
        assert isinstance(outcome_of(provider), ProviderWait)
    completion = outcome_of(provider)
    assert (completion.text, completion.finish, completion.detail) == (TEXT, "stop", "")


@pytest.mark.parametrize("name", ["anthropic_chat", "openai_chat"])
def test_all_input_tokens_are_counted_and_those_of_the_cache_named(name, vendor, monkeypatch):
    completion = outcome_of(provider_at(name, vendor, monkeypatch))
    assert completion.input_tokens == N_PLAIN + N_CACHED + N_WRITTEN
    assert (completion.cached_tokens, completion.cache_write_tokens) == (N_CACHED, N_WRITTEN)
    assert completion.output_tokens == N_OUT


@pytest.mark.parametrize("port", ["99999", "0"])
def test_an_address_that_cannot_be_is_a_problem(port):
    outcome = outcome_of(OpenAICompatible(base_url=f"http://127.0.0.1:{port}/v1", model="m"))
    assert isinstance(outcome, (ProviderWait, ProviderStop))
    assert not getattr(outcome, "may_cost", False)


def test_an_address_may_be_written_in_any_form(vendor):
    made = OpenAICompatible(base_url=f"{vendor.url}/v1", model="m")
    assert outcome_of(made).finish == "stop"
    assert vendor.received[0][1]["host"] == vendor.url.removeprefix("http://")


# Anthropic


def test_anthropic_is_asked_with_a_schema_a_bound_and_a_cached_system_block(anthropic, vendor):
    assert outcome_of(anthropic).model == "served-2026-01-01"
    (path, headers, body) = vendor.received[0]
    assert path == "/v1/messages"
    assert headers["authorization"] == f"Bearer {CANARY}"
    assert headers["anthropic-version"] == "2026-10-21"
    assert body == {
        "model": "served",
        "system": [{"type": "text", "text": "You write.", "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": "Write 事."}],
        "max_tokens": 1024,
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        "thinking": {"type": "disabled"},
    }


def test_a_temperature_goes_by_the_version_that_has_one(vendor, monkeypatch):
    outcome_of(provider_at("anthropic_chat", vendor, monkeypatch, temperature=0.5, top_p=0.9))
    (_, headers, body) = vendor.received[0]
    assert (body["temperature"], body["top_p"]) == (0.5, 0.9)
    assert headers["anthropic-version"] == "2023-06-01"


def test_anthropic_keys_go_to_anthropic_only(anthropic, vendor, monkeypatch):
    with fake_vendor.serving() as other:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", other.url)
        monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", OTHER_CANARY)
        monkeypatch.setenv("ANTHROPIC_PROFILE", OTHER_CANARY)
        monkeypatch.setenv("HTTP_PROXY", other.url)
        monkeypatch.setenv("http_proxy", other.url)
        lines = (f"{name}: {OTHER_CANARY}" for name in ("X-Api-Key", "Authorization", "Host", "X"))
        monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "\n".join(lines))
        vendor.order("302")
        assert isinstance(outcome_of(anthropic), ProviderStop)
        assert outcome_of(anthropic).finish == "stop"
        assert other.received == []
    (_, headers, body) = vendor.received[-1]
    assert headers["authorization"] == f"Bearer {CANARY}"
    assert OTHER_CANARY not in json.dumps([headers, body])


def test_the_addresses_are_the_vendors():
    assert anthropic_chat.BASE_URL == "https://api.anthropic.com"
    assert openai_chat.BASE_URL == "https://api.openai.com/v1"


def test_without_a_key_anthropic_says_where_to_put_it(anthropic, vendor, monkeypatch):
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    assert "ANTHROPIC_API_KEY" in outcome_of(anthropic).hint
    assert vendor.received == []


def test_a_content_filter_in_a_status_400_is_a_refusal(anthropic, vendor):
    said = error("/messages", "Output blocked by content filtering policy")
    vendor.order((400, said, {}))
    assert outcome_of(anthropic).finish == "refused"


@pytest.mark.parametrize("reason", ["model_context_window_exceeded", "max_tokens"])
def test_a_reply_cut_off_is_of_finish_length(anthropic, vendor, reason):
    vendor.order((200, reply("/messages") | {"stop_reason": reason}, {}))
    assert outcome_of(anthropic).finish == "length"


# What a model refuses

REFUSED = "Unsupported value: '{name}' does not support this with this model."


def refuses(*names, said=REFUSED, **more):
    """Return a rule: the first of these parameters that is sent is refused."""

    def rule(path, body):
        for name in names:
            if name in body:
                told = {"param": name, "code": "unsupported_value"} | more
                message = said.format(name=name)
                return (400, error(path, message, "invalid_request_error", **told), {})
        return None

    return rule


@pytest.mark.parametrize("name", VENDORS)
def test_what_a_model_refuses_is_left_out_named_and_remembered(name, vendor, monkeypatch):
    made = provider_at(name, vendor, monkeypatch, temperature=0.5, top_p=0.9)
    vendor.rule = refuses("temperature", "top_p")
    first, second = outcome_of(made), outcome_of(made, draw=1)
    assert first.finish == second.finish == "stop"
    assert "does not take temperature, top_p" in first.detail
    assert first.detail == second.detail
    # Three to learn it, one when it is known.
    assert len(vendor.received) == 4
    assert not {"temperature", "top_p"} & set(vendor.received[-1][2])


def test_what_was_refused_is_not_said_of_a_call_that_did_not_send_it(vendor, monkeypatch):
    vendor.rule = refuses("temperature")
    hot = provider_at("openai_chat", vendor, monkeypatch, temperature=0.5)
    assert outcome_of(hot).detail
    assert outcome_of(hot.model_copy(update={"temperature": 1.0})).detail == ""


def test_a_key_in_the_cache_is_of_what_was_asked(vendor, monkeypatch):
    made = provider_at("openai_chat", vendor, monkeypatch, temperature=0.5)
    before = made.key_of(prompt_for())
    vendor.rule = refuses("temperature")
    outcome_of(made)
    assert made.key_of(prompt_for()) == before


@pytest.mark.parametrize("name", VENDORS)
def test_where_no_schema_is_taken_it_stands_in_the_words(name, vendor, monkeypatch):
    made = provider_at(name, vendor, monkeypatch)
    parameter = "output_config" if name == "anthropic_chat" else "response_format"
    vendor.rule = refuses(parameter)
    assert parameter in outcome_of(made).detail
    (_, _, body) = vendor.received[-1]
    assert parameter not in body
    system = body["system"][0]["text"] if "system" in body else body["messages"][0]["content"]
    assert system.startswith("You write.")
    assert '"additionalProperties":false' in system


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("openai_chat", "max_completion_tokens", "max_tokens"),
        ("openai_compatible", "max_tokens", "max_completion_tokens"),
    ],
)
def test_the_bound_on_tokens_changes_its_name_and_never_goes(name, one, other, vendor, monkeypatch):
    made = provider_at(name, vendor, monkeypatch, max_tokens=77)
    vendor.rule = refuses(one)
    assert outcome_of(made).finish == "stop"
    assert vendor.received[-1][2][other] == 77
    _refusals.forget()
    vendor.rule = refuses(one, other)
    assert isinstance(outcome_of(made), ProviderStop)
    assert all({one, other} & set(body) for _, _, body in vendor.received)


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("temperature: Extra inputs are not permitted", {"top_p"}),
        ("`temperature` is deprecated for this model.", {"top_p"}),
        (
            "`temperature` and `top_p` cannot both be specified for this model. Please use only "
            "one.",
            {"temperature"},
        ),
    ],
)
def test_anthropics_words_are_understood(said, left, vendor, monkeypatch):
    made = provider_at("anthropic_chat", vendor, monkeypatch, temperature=0.5, top_p=0.9)
    vendor.order((400, error("/messages", said, "invalid_request_error"), {}))
    assert "does not take" in outcome_of(made).detail
    assert set(vendor.received[-1][2]) & {"temperature", "top_p"} == left


def test_a_model_that_must_think_is_let(anthropic, vendor):
    said = '"thinking.type.disabled" is not supported for this model.'
    vendor.order((400, error("/messages", said, "invalid_request_error"), {}))
    assert outcome_of(anthropic).finish == "stop"
    assert "thinking" not in vendor.received[-1][2]


@pytest.mark.parametrize(
    "told",
    [
        {"message": "'messages' is not supported", "param": "messages"},
        {"message": "'model' is not supported with this temperature", "param": "model"},
        {"message": "temperature must be at most 1", "param": "temperature"},
        {"message": "max_tokens is too large: this model supports at most 9", "param": None},
        {"message": "'top_k' is not supported", "param": None},
        {"message": ["temperature"], "param": {"temperature": 1}, "code": ["unsupported_value"]},
    ],
)
def test_a_wrong_value_or_another_name_stops_at_once(provider, vendor, told):
    vendor.order((400, {"error": {"type": "invalid_request_error", **told}}, {}))
    assert isinstance(outcome_of(provider), ProviderStop)
    assert len(vendor.received) == 1


def test_what_did_not_help_is_not_remembered(vendor, monkeypatch):
    made = provider_at("openai_chat", vendor, monkeypatch, temperature=0.5)
    said = REFUSED.format(name="temperature")
    vendor.rule = lambda path, body: (400, error(path, said, param="temperature"), {})
    assert isinstance(outcome_of(made), ProviderStop)
    assert len(vendor.received) == 2
    vendor.rule = lambda path, body: None
    assert outcome_of(made).detail == ""
    assert vendor.received[-1][2]["temperature"] == 0.5


def test_many_threads_learn_the_same(vendor, monkeypatch):
    made = provider_at("anthropic_chat", vendor, monkeypatch, temperature=0.5)
    vendor.rule = refuses("temperature")
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(made.complete, [prompt_for(draw) for draw in range(24)]))
    assert len({completion.detail for completion in done}) == 1
    assert 25 <= len(vendor.received) <= 48


# Ten thousand answers that nobody foresaw

ENDPOINT = _answers.Endpoint("http://127.0.0.1/v1", "served", CANARY, "KEY", 1.0)
PATHS = {"/chat/completions": read_reply, "/messages": read_message}
STRANGE = [
    None, True, False, 0, -1, 1.5, 2**40, float("nan"), "", " ", "x", "\ud800", "stop", "refusal",
    [], [[]], {}, {"type": "text"}, {"text": 5}, CANARY, "sk-live-1234567890", "\u2028\x00",
]  # fmt: skip


def mutated(value, draw):
    """Return the value with strange parts in place of some of its own, some dropped, some new."""
    if draw.random() < 0.07:
        return draw.choice(STRANGE)
    if isinstance(value, dict):
        made = {k: mutated(v, draw) for k, v in value.items() if draw.random() > 0.04}
        return made | ({draw.choice(["x", "error", "type"]): "?"} if draw.random() < 0.05 else {})
    if isinstance(value, list):
        made = [mutated(item, draw) for item in value]
        return made + ([draw.choice(STRANGE)] if draw.random() < 0.1 else [])
    return value


def body_from(path, draw):
    end = draw.choice(["stop", "length", "refused"])
    text = draw.choice([TEXT, None, "", "{", "[1]", CANARY])
    body = json.dumps(mutated(reply(path, text, end), draw)).encode()
    if draw.random() < 0.1:
        body = body[: draw.randrange(len(body) + 1)]
    if draw.random() < 0.05:
        at = draw.randrange(len(body) + 1)
        body = body[:at] + draw.randbytes(3) + body[at:]
    return body


def check(completion, body):
    """Assert that a completion holds nothing that its body does not say."""
    assert isinstance(completion, Completion)
    assert completion.finish in get_args(Finish)
    shown = completion.text + completion.detail + completion.model + (completion.raw_id or "")
    shown.encode("utf-8")
    assert CANARY not in repr(completion)
    counts = (completion.input_tokens, completion.output_tokens)
    assert all(n is None or 0 <= n < 2**33 for n in counts)
    if completion.finish == "stop":
        assert completion.text.strip()
    said = body.decode("utf-8", "replace")
    as_written = completion.text.replace("[key]", CANARY).replace("\ufffd", "\ud800")
    # Texts of several blocks are joined, so each of their words is looked for.
    assert all(json.dumps(piece)[1:-1] in said for piece in as_written.split() or [""])


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_guessed_from_ten_thousand_bodies(path):
    draw = random.Random(path)
    n_waits, finishes = 0, set()
    for _ in range(5000):
        body = body_from(path, draw)
        try:
            completion = PATHS[path](ENDPOINT, body, 0.1)
        except ProviderWait as problem:
            n_waits += 1
            assert CANARY not in str(problem)
            continue
        check(completion, body)
        finishes.add(completion.finish)
    assert finishes == set(get_args(Finish))
    assert 0 < n_waits < 2500


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("depth", [200, 900, 5000, 60_000])
def test_answers_may_be_nested_deeply(path, depth):
    nest = b"[" * depth + b"]" * depth
    bodies = [b'{"choices": [{"message": {"content": "a"}, "finish_reason": ' + nest + b"}]}"]
    bodies += [b'{"content": [{"type": "text", "text": ""}], "stop_reason": ' + nest + b"}"]
    for body in [*bodies, b'{"error": ' + nest + b"}", nest]:
        try:
            check(PATHS[path](ENDPOINT, body, 0.1), body)
        except ProviderWait:
            continue


def test_no_answer_over_the_wire_is_another_exception(provider, vendor):
    draw = random.Random(provider.id())
    path = "/messages" if isinstance(provider, AnthropicChat) else "/chat/completions"
    kinds = set()
    for _ in range(100):
        status = draw.choice([200, 200, 200, 201, 204, 302, 400, 401, 409, 422, 429, 500, 529])
        if status == 200:
            body = body_from(path, draw)
        else:
            told = mutated(error(path, "no temperature, unsupported", "a", param="top_p"), draw)
            body = b"" if status == 204 else json.dumps(told).encode()
        asked = draw.choice(["", "1", "-5", "1e400", "nan", "Mon, 99", "\x7f"])
        vendor.order((status, body, {"Retry-After": asked}))
        outcome = outcome_of(provider)
        vendor.orders.clear()
        kinds.add(type(outcome))
        if isinstance(outcome, Completion) and vendor.received[-1] and status == 200:
            check(outcome, body)
        if isinstance(outcome, ProviderWait):
            assert outcome.seconds is None or outcome.seconds >= 0
    assert kinds == {Completion, ProviderWait, ProviderStop}
