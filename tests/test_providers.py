"""Providers answer or say what is wrong; a key goes to its own host and is never shown."""

import json
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Exhausted, Problem, ProviderStop, ProviderWait
from core.providers import _answers, base, openai_chat, recorded
from core.providers._chat import read_reply
from core.providers._wire import is_loopback
from core.providers.base import Provider, estimate_input_tokens, find_key
from core.providers.openai_chat import OpenAIChat
from core.providers.openai_compatible import OpenAICompatible
from core.providers.recorded import Recorded
from core.records import Completion, Prompt
from core.registry import from_json, make, member, member_ids

CANARY = "sk-canary-0123456789abcdef"
OTHER_CANARY = "key-of-the-other-host-42"
PROVIDERS = [member("providers", name) for name in member_ids("providers")]
SCHEMA = {
    "type": "object",
    "properties": {"items": {"type": "array", "items": {"type": "string"}}},
    "required": ["items"],
    "additionalProperties": False,
}


def prompt_for(label="praise", draw=0, user="Write 事."):
    return Prompt("You write.", user, SCHEMA, label, draw, 5)


class Wire(ThreadingHTTPServer):
    """A server that gives one prepared answer and keeps what it was sent."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.received, self.over = [], threading.Event()
        self.answer_with(200, chat_reply())

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def answer_with(self, status, body, headers=None, send=None):
        self.status, self.headers, self.send = status, headers or {}, send
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.received.append((self.path, headers, json.loads(body)))
        if self.server.send is None:
            self.send_prepared()
        else:
            self.server.send(self)

    def send_prepared(self):
        # Every answer but a good one quotes the key, as OpenAI's own does.
        key = self.headers["Authorization"].removeprefix("Bearer ").encode()
        reply = self.server.body.replace(b"KEY", key)
        headers = {"Content-Type": "application/json", "Content-Length": len(reply)}
        self.send_response(self.server.status)
        for name, value in {**headers, **self.server.headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_):
        pass


def chat_reply(content='{"items": ["a"]}', finish="stop", **message):
    usage = {"prompt_tokens": 90, "completion_tokens": 20, "total_tokens": 110}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "served-2026-01-01",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "message": {"role": "assistant", "content": content, **message},
            }
        ],
        "usage": {**usage, "prompt_tokens_details": {"cached_tokens": 64}},
    }


def error(message, code=None, kind=None):
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def served():
    server = Wire()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


wire = pytest.fixture(served)
other_host = pytest.fixture(served)


@pytest.fixture(autouse=True)
def keys_and_recording(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.setenv("ADMIX_COMPATIBLE_API_KEY", OTHER_CANARY)
    monkeypatch.setattr(base, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recorded, "DATA", tmp_path / "data")
    line = {"text": "[]", "finish": "stop", "input_tokens": 9, "output_tokens": 7}
    lines = [{**line, "label": label, "draw": draw} for label in "ab" for draw in range(3)]
    lines[4] |= {"finish": "length", "output_tokens": 40}
    write_recording(tmp_path, [json.dumps(each) for each in lines])


def write_recording(folder, lines):
    path = folder / "data" / "demo" / "completions.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), "utf-8")


@pytest.fixture(params=["openai_chat", "openai_compatible"])
def provider(request, wire, monkeypatch):
    if request.param == "openai_compatible":
        return OpenAICompatible(base_url=wire.url, model="served")
    monkeypatch.setattr(openai_chat, "BASE_URL", wire.url)
    return OpenAIChat(model="served")


def made(cls, **settings):
    """Make a provider from its defaults, and from examples where a field has no default."""
    needed = {
        name: field.examples[0] for name, field in cls.model_fields.items() if field.is_required()
    }
    return make(Provider, cls.id(), {**needed, **settings})


def problem_of(provider, kind=Problem, **prompt):
    with pytest.raises(kind) as caught:
        provider.complete(prompt_for(**prompt))
    shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert CANARY not in shown
    assert OTHER_CANARY not in shown
    assert caught.value.__cause__ is caught.value.__context__ is None
    return caught.value


# Every provider


@pytest.mark.parametrize("cls", PROVIDERS)
def test_every_provider_describes_and_stores_itself(cls):
    made_one = made(cls)
    assert cls.title
    assert all(field.description for field in cls.model_fields.values())
    assert from_json(Provider, json.loads(json.dumps(made_one.to_json()))) == made_one
    assert made_one.model_name
    assert made_one.worst_output_tokens > 0
    assert made_one.is_local in (True, False)


@pytest.mark.parametrize("cls", PROVIDERS)
def test_every_draw_has_its_own_key_in_the_cache(cls):
    keys = [made(cls).key_of(prompt_for(draw=draw)) for draw in (0, 1, 0)]
    assert keys[0] == keys[2] != keys[1]


@pytest.mark.parametrize("cls", PROVIDERS)
def test_no_key_stands_in_what_is_stored_or_shown(cls, monkeypatch):
    for name in cls.keys:
        monkeypatch.setenv(name, CANARY)
    made_one = made(cls)
    assert CANARY not in json.dumps([made_one.to_json(), made_one.sendable()])
    assert CANARY not in repr(made_one) + made_one.key_of(prompt_for())


def test_providers_are_imported_without_the_vendors_packages():
    code = "import sys; from core.registry import member, member_ids\n"
    code += "for name in member_ids('providers'): member('providers', name)\n"
    code += "print({'openai', 'anthropic', 'httpx', 'httpx2'} & set(sys.modules))"
    root = recorded.__file__.rsplit("/core/", 1)[0]
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=root, check=True, capture_output=True, text=True
    )
    assert ran.stdout == "set()\n"


def test_settings_change_the_cache_key_but_patience_does_not():
    cold, hot = OpenAIChat(temperature=0), OpenAIChat(temperature=1)
    assert cold.key_of(prompt_for()) != hot.key_of(prompt_for())
    assert hot.key_of(prompt_for()) == OpenAIChat(timeout_seconds=5).key_of(prompt_for())


@given(user=st.text())
def test_money_is_reserved_for_a_token_per_byte(user):
    n_bytes = len(user.encode("utf-8", "surrogatepass"))
    assert estimate_input_tokens(prompt_for(user=user)) > n_bytes


# Keys


def test_a_key_is_taken_from_the_environment_then_from_the_secrets(monkeypatch, tmp_path):
    secrets = tmp_path / ".streamlit" / "secrets.toml"
    secrets.parent.mkdir()
    secrets.write_text(f'OPENAI_API_KEY = " {OTHER_CANARY} "\nOTHER = 3\n[OPEN]\nX = "y"')
    assert find_key(["OPENAI_API_KEY"]) == CANARY
    monkeypatch.setenv("OPENAI_API_KEY", " ")
    assert find_key(["OPENAI_API_KEY"]) == OTHER_CANARY
    assert find_key(["UNKNOWN", "OTHER", "OPEN"]) is None


def test_broken_secrets_are_not_quoted(monkeypatch, tmp_path):
    monkeypatch.delenv("OPENAI_API_KEY")
    secrets = tmp_path / ".streamlit" / "secrets.toml"
    secrets.parent.mkdir()
    secrets.write_text(f"OPENAI_API_KEY = {CANARY}")
    with pytest.raises(ProviderStop, match=r"secrets\.toml is not readable") as caught:
        find_key(["OPENAI_API_KEY"])
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_without_a_key_openai_says_where_to_put_it(monkeypatch, wire):
    monkeypatch.setattr(openai_chat, "BASE_URL", wire.url)
    monkeypatch.delenv("OPENAI_API_KEY")
    assert "OPENAI_API_KEY" in problem_of(OpenAIChat(), ProviderStop).hint
    assert wire.received == []


def test_a_key_that_cannot_be_sent_is_not_quoted(monkeypatch, provider, wire):
    for name in ("OPENAI_API_KEY", "ADMIX_COMPATIBLE_API_KEY"):
        monkeypatch.setenv(name, f"{CANARY}\nX-More: {CANARY}")
    assert "characters that no key has" in str(problem_of(provider, ProviderStop))
    assert wire.received == []


def test_openai_keys_go_to_openai_only(monkeypatch, wire, other_host):
    assert openai_chat.BASE_URL == "https://api.openai.com/v1"
    monkeypatch.setattr(openai_chat, "BASE_URL", wire.url)
    monkeypatch.setenv("OPENAI_BASE_URL", other_host.url)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"Authorization: {OTHER_CANARY}")
    OpenAIChat().complete(prompt_for())
    (_, headers, _) = wire.received[0]
    assert headers["authorization"] == f"Bearer {CANARY}"
    assert headers["openai-organization"] == "org-1"
    assert other_host.received == []


@pytest.mark.parametrize(("own_key", "sent"), [(OTHER_CANARY, OTHER_CANARY), ("", "none")])
def test_a_compatible_server_is_never_sent_what_belongs_to_openai(monkeypatch, wire, own_key, sent):
    monkeypatch.setenv("ADMIX_COMPATIBLE_API_KEY", own_key)
    monkeypatch.setenv("OPENAI_ADMIN_KEY", CANARY)
    monkeypatch.setenv("OPENAI_ORG_ID", CANARY)
    monkeypatch.setenv("OPENAI_PROJECT_ID", CANARY)
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"Authorization: {CANARY}\nX-More: {CANARY}")
    OpenAICompatible(base_url=wire.url, model="served").complete(prompt_for())
    (path, headers, body) = wire.received[0]
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == f"Bearer {sent}"
    assert CANARY not in json.dumps([headers, body])


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(provider, wire, other_host, status):
    wire.answer_with(status, {}, {"Location": f"{other_host.url}/chat/completions"})
    assert "redirect" in str(problem_of(provider, ProviderStop))
    assert other_host.received == []


# Answers


def test_an_answer_comes_with_its_text_and_usage(provider, wire):
    completion = provider.complete(prompt_for(draw=3))
    assert completion.text == '{"items": ["a"]}'
    assert (completion.finish, completion.model) == ("stop", "served-2026-01-01")
    assert (completion.input_tokens, completion.output_tokens) == (90, 20)
    assert (completion.cached_tokens, completion.raw_id) == (64, "chatcmpl-1")
    assert 0 < completion.seconds < 10
    (_, _, body) = wire.received[0]
    assert body["messages"] == prompt_for().messages
    form = body["response_format"]["json_schema"]
    assert (form["strict"], form["schema"]) == (True, SCHEMA)
    assert 1024 in (body.get("max_tokens"), body.get("max_completion_tokens"))


def test_settings_are_sent_and_each_draw_has_its_seed(provider, wire):
    changed = provider.model_copy(update={"temperature": 0.5, "top_p": 0.9, "seed": 10})
    changed.complete(prompt_for(draw=3))
    (_, _, body) = wire.received[0]
    assert (body["temperature"], body["top_p"], body["seed"]) == (0.5, 0.9, 13)


def test_openai_keeps_no_copy_and_is_sent_no_default(monkeypatch, wire):
    monkeypatch.setattr(openai_chat, "BASE_URL", wire.url)
    OpenAIChat().complete(prompt_for())
    (_, _, body) = wire.received[0]
    assert body["store"] is False
    assert set(body) == {
        "model",
        "messages",
        "response_format",
        "max_completion_tokens",
        "store",
        "prompt_cache_key",
    }


def test_prompts_that_begin_alike_have_one_cache_key_at_openai_and_none_elsewhere():
    one, other = OpenAIChat().parameters(prompt_for()), OpenAIChat().parameters(prompt_for(draw=1))
    assert one["prompt_cache_key"] == other["prompt_cache_key"]
    elsewhere = OpenAICompatible(base_url="http://127.0.0.1:9/v1", model="m")
    assert "prompt_cache_key" not in elsewhere.parameters(prompt_for())


def test_without_structured_output_the_schema_stands_in_the_words(wire):
    plain = OpenAICompatible(base_url=wire.url, model="served", structured=False)
    plain.complete(prompt_for())
    (_, _, body) = wire.received[0]
    assert "response_format" not in body
    assert '"additionalProperties":false' in body["messages"][0]["content"]


@pytest.mark.parametrize(
    ("reply", "finish", "detail"),
    [
        (chat_reply("", refusal="I can't."), "refused", "I can't."),
        (chat_reply("half", "content_filter"), "refused", "content filter"),
        (chat_reply('{"items": ["a', "length"), "length", ""),
        (chat_reply(None, "tool_calls"), "failed", "empty answer"),
        (error("KEY is busy"), "failed", "is busy"),
        ({"choices": [{"text": "old"}]}, "failed", "not a chat completion"),
        ([1, 2], "failed", "not a chat completion"),
    ],
)
def test_answers_that_are_not_what_was_asked_for_are_counted(provider, wire, reply, finish, detail):
    wire.answer_with(200, reply)
    completion = provider.complete(prompt_for())
    assert completion.finish == finish
    assert detail in completion.detail
    assert CANARY not in completion.detail
    assert OTHER_CANARY not in completion.detail


def test_a_content_filter_in_a_status_400_is_a_refusal(provider, wire):
    wire.answer_with(400, error("filtered", code="content_filter"))
    assert provider.complete(prompt_for()).finish == "refused"


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, error("Incorrect API key provided: KEY.", "invalid_api_key"), "API_KEY"),
        (403, error("KEY may not do this."), "API_KEY"),
        (404, error("The model does not exist, KEY.", "model_not_found"), "'served'"),
        (400, error("Invalid schema for KEY: name."), "Invalid schema for [key]: name."),
        (422, {"detail": "top_p is unknown"}, "top_p is unknown"),
        (402, error("Insufficient balance"), "no credit"),
        (429, error("You exceeded your quota", "insufficient_quota"), "no credit"),
    ],
)
def test_what_no_retry_will_mend_stops(provider, wire, status, body, said):
    wire.answer_with(status, body)
    assert said in str(problem_of(provider, ProviderStop))
    assert len(wire.received) == 1


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"Retry-After": "7"}, 7),
        (429, {"retry-after-ms": "250", "Retry-After": "9"}, 0.25),
        (429, {"Retry-After": formatdate(time.time() + 3600, usegmt=True)}, 3600),
        (429, {"Retry-After": "soon"}, None),
        (429, {}, None),
        (500, {}, None),
        (503, {"Retry-After": "3"}, 3),
    ],
)
def test_what_passes_waits_as_long_as_asked_and_is_tried_once(
    provider, wire, status, headers, seconds
):
    wire.answer_with(status, error("slow down, KEY"), headers)
    problem = problem_of(provider, ProviderWait)
    assert problem.seconds == (seconds and pytest.approx(seconds, abs=3000 if seconds > 9 else 0))
    assert not problem.may_cost
    assert len(wire.received) == 1


def test_half_a_body_waits_and_may_have_cost(provider, wire):
    body = json.dumps(chat_reply()).encode()
    wire.answer_with(200, body[:80], {"Content-Length": len(body)})
    assert problem_of(provider, ProviderWait).may_cost


def test_a_whole_answer_on_a_broken_connection_is_kept(provider, wire):
    wire.answer_with(200, chat_reply(), {"Content-Length": 100_000})
    assert provider.complete(prompt_for()).finish == "stop"


def test_a_page_for_browsers_waits(provider, wire):
    wire.answer_with(200, b"<html>KEY</html>", {"Content-Type": "text/html"})
    assert "no JSON" in str(problem_of(provider, ProviderWait))


def test_silence_ends_at_the_time_out_and_may_have_cost(provider, wire):
    wire.answer_with(200, b"", send=lambda _: wire.over.wait(60))
    hasty = provider.model_copy(update={"timeout_seconds": 0.2})
    problem = problem_of(hasty, ProviderWait)
    assert "0.2 s" in str(problem)
    assert problem.may_cost
    assert not wire.over.is_set(), "the server was still silent"


def test_a_dripping_answer_ends_at_the_time_out(provider, wire):
    def drip(handler):
        handler.send_response(200)
        handler.end_headers()
        while not wire.over.wait(0.02):
            handler.wfile.write(b" ")

    wire.answer_with(200, b"", send=drip)
    # Without an end of our own this would go on for as long as the server drips.
    problem_of(provider.model_copy(update={"timeout_seconds": 0.2}), ProviderWait)
    wire.over.set()


def test_a_server_that_is_not_there_waits_and_costs_nothing(provider, wire):
    wire.shutdown()
    wire.server_close()
    assert not problem_of(provider, ProviderWait).may_cost


def test_a_prompt_that_is_no_unicode_stops(provider):
    assert "characters" in str(problem_of(provider, ProviderStop, user="\ud800"))


def test_a_provider_works_from_many_threads(provider, wire):
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(provider.complete, [prompt_for(draw=draw) for draw in range(24)]))
    assert [completion.finish for completion in done] == ["stop"] * 24
    assert len(wire.received) == 24


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "message",
                    "content",
                    "refusal",
                    "usage",
                    "prompt_tokens",
                    "error",
                    "model",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(body=st.binary(max_size=40) | json_values.map(lambda value: json.dumps(value).encode()))
def test_no_body_breaks_the_reading(body):
    endpoint = _answers.Endpoint("http://127.0.0.1/v1", "served", CANARY, "KEY", 1.0)
    try:
        completion = read_reply(endpoint, body, 0.1)
    except ProviderWait:
        return
    assert isinstance(completion, Completion)
    (completion.text + completion.detail + completion.model).encode("utf-8")


# Addresses


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://localhost:11434/v1/", True),
        ("http://[::1]:8000", True),
        ("https://127.0.0.1.example.org/v1", False),
        ("http://localhost.example.org", False),
        ("http://192.168.0.7:8000/v1", False),
        ("http://0.0.0.0:8000", False),
    ],
)
def test_only_this_machine_is_local(url, is_local):
    assert OpenAICompatible(base_url=url, model="served").is_local == is_local == is_loopback(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8000",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "http://",
        f"https://user:{CANARY}@example.org/v1",
        f"https://example.org/v1?key={CANARY}",
        "https://example.org/v1#x",
        "http://evil.example\\.localhost/v1",
        "http://exa mple.org",
        "http://127.0.0.1:8000/v1\nX: y",
    ],
)
def test_an_address_is_http_and_holds_no_secret(url):
    with pytest.raises(Problem, match="base_url") as caught:
        make(Provider, "openai_compatible", {"base_url": url, "model": "served"})
    assert CANARY not in str(caught.value)


# Recorded


def test_recorded_completions_are_replayed_by_class_and_draw():
    replay = Recorded()
    assert (replay.is_replay, replay.is_local, replay.worst_output_tokens) == (True, True, 40)
    completion = replay.complete(prompt_for("b", 1))
    assert (completion.finish, completion.input_tokens, completion.output_tokens) == (
        "length",
        9,
        40,
    )
    assert completion.model == replay.model_name == "recorded-example"


def test_settings_and_words_change_no_recorded_text():
    one, other = Recorded(), Recorded(model="another", temperature=0)
    asked, asked_otherwise = prompt_for("a"), prompt_for("a", user="Other words.")
    assert one.key_of(asked) == other.key_of(asked_otherwise)
    assert one.complete(asked) == other.complete(asked_otherwise)
    assert one.key_of(asked) != one.key_of(prompt_for("b"))


def test_a_used_up_class_is_exhausted():
    with pytest.raises(Exhausted, match="no completion left for 'a'") as caught:
        Recorded().complete(prompt_for("a", 3))
    assert caught.value.label == "a"
    assert caught.value.hint


def test_a_missing_recording_stops_clearly():
    with pytest.raises(ProviderStop, match="no recording 'elsewhere'"):
        Recorded(recording="elsewhere").complete(prompt_for("a"))


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"label": "a", "draw": 0, "text": "", "finish": "stop"}',
        '{"label": "a", "draw": -1, "text": "", "finish": "stop", "input_tokens": 1, '
        '"output_tokens": 1}',
        '{"label": "a", "draw": 0, "text": "", "finish": "done", "input_tokens": 1, '
        '"output_tokens": 1}',
    ],
)
def test_a_broken_recording_names_the_line(tmp_path, line):
    good = {"label": "a", "draw": 0, "text": "", "finish": "stop"}
    good |= {"input_tokens": 1, "output_tokens": 1}
    write_recording(tmp_path, [json.dumps(good), line])
    with pytest.raises(ProviderStop, match="Line 2"):
        Recorded().complete(prompt_for("a"))


@pytest.mark.parametrize("name", ["..", "a/b", ".hidden", "", "a\\b", "demo\n", "/etc"])
def test_a_recording_is_a_plain_folder_name(name):
    with pytest.raises(Problem, match="recording"):
        make(Provider, "recorded", {"recording": name})
