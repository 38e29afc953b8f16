"""How is a prompt sent with a vendor's package, to one host and no other?"""

from __future__ import annotations

import importlib
import ipaddress
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

from core.errors import Problem, ProviderStop
from core.providers import _answers as answers
from core.providers import _refusals as refusals
from core.providers._answers import Endpoint, Fault
from core.records import Completion

T = TypeVar("T")

_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
        "user-agent",
        # By this one the SDK knows afterwards that the answer is to be handed over unread.
        "x-stainless-raw-response",
    }
)


@dataclass(frozen=True, slots=True)
class Protocol:
    """How one vendor's package is called, and how its answers are read."""

    package: str
    connect: Callable[[Endpoint, Any], Any]
    """Endpoint and HTTP client -> the vendor's client."""
    start: Callable[[Any, Mapping[str, Any]], Any]
    """The vendor's client and what to send -> a context that gives the response unread."""
    read: Callable[[Endpoint, bytes, float], Completion]
    """Endpoint, body of a status 200 and seconds -> the completion."""
    optional: tuple[str, ...]
    """Parameters that a model may refuse, the likeliest first: of two named, the first is left."""
    without: Callable[[Mapping[str, Any], tuple[str, ...]], dict[str, Any]]
    """What to send, and refused parameters -> what to send in their place."""


def is_loopback(url: str) -> bool:
    """Return whether a URL's host is this machine.

    >>> is_loopback("http://127.0.0.1:8000/v1"), is_loopback("https://127.0.0.1.example.org")
    (True, False)
    """
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        # Names under .localhost are not counted: some resolvers ask the network for them.
        return host == "localhost"


def ask(protocol: Protocol, endpoint: Endpoint, parameters: Mapping[str, Any]) -> Completion:
    """Ask once, and again only without a parameter that the model says it does not take.

    Raises:
        ProviderWait: a passing fault.
        ProviderStop: a fault that no retry will mend.
    """
    refused = refusals.known(endpoint)
    while True:
        sent = protocol.without(parameters, refused)
        answer = _send(protocol, endpoint, sent)
        if isinstance(answer, Completion):
            refused = tuple(name for name in refused if name in parameters)
            refusals.remember(endpoint, refused)
            return refusals.noted(answer, refused)
        name = refusals.named(answer, sent, protocol.optional, refused)
        if name is None:
            break
        refused = (*refused, name)
    refusal = answers.filtered(answer, endpoint)
    if refusal is None:
        raise answers.problem_of(answer, endpoint)
    return refusal


def _send(protocol: Protocol, endpoint: Endpoint, sent: Mapping[str, Any]) -> Completion | Fault:
    """Send one request and read the answer."""
    from core.providers._bounded import body_of

    started = time.monotonic()
    return exchange(
        protocol,
        endpoint,
        lambda client: protocol.start(client, sent),
        lambda response: protocol.read(endpoint, body_of(response), time.monotonic() - started),
    )


def exchange(
    protocol: Protocol, endpoint: Endpoint, call: Callable[[Any], Any], read: Callable[[Any], T]
) -> T | Fault:
    """Call the vendor's client and return what is read in the response, or what the error says.

    `call` takes the client and gives a context of the response unread.

    Raises:
        ProviderWait: no answer came.
        ProviderStop: nothing can be asked there.
    """
    import httpx2

    package = importlib.import_module(protocol.package)
    problem: Problem
    try:
        with call(_client(protocol, endpoint)) as response:
            return read(response)
    except package.APIStatusError as error:
        return answers.fault_of(error, endpoint)
    except package.APITimeoutError as error:
        what = f"gave no answer in {endpoint.timeout_seconds:g} s"
        problem = answers.silence(what, error, endpoint)
    except (package.APIConnectionError, httpx2.RequestError) as error:
        problem = answers.silence("could not be reached, or broke off", error, endpoint)
    except UnicodeEncodeError:
        problem = ProviderStop("The prompt holds characters that cannot be sent.")
    except (package.APIError, httpx2.InvalidURL) as error:
        problem = ProviderStop(
            f"{endpoint.host} cannot be asked ({type(error).__name__}).", "Check the address."
        )
    # Raised out here, so that no vendor error, which may quote the key, hangs on the problem.
    raise problem


@lru_cache(maxsize=16)
def _client(protocol: Protocol, endpoint: Endpoint) -> Any:
    from core.providers._bounded import Bounded

    kept = _HEADERS | endpoint.more_headers

    def keep_to_host(request: Any) -> None:
        # The SDKs add headers from the environment (..._CUSTOM_HEADERS and others) to every
        # request, to whichever host, and let them replace the key.
        for name in [name for name in request.headers if name.lower() not in kept]:
            del request.headers[name]
        request.headers["Authorization"] = f"Bearer {endpoint.key}"
        request.headers["Host"] = request.url.netloc.decode("ascii")
        # Answers are small, and what is not packed cannot unpack to more than the memory.
        request.headers["Accept-Encoding"] = "identity"
        request.extensions["deadline"] = time.monotonic() + endpoint.timeout_seconds

    def bound(response: Any) -> None:
        deadline = response.request.extensions["deadline"]
        response.stream = Bounded(
            response.stream, deadline, endpoint.max_bytes, response.extensions
        )
        if response.status_code >= 300:
            # The SDKs read an error to its end, however much it unpacks to, in its own encoding.
            response.headers.pop("content-encoding", None)
            response.encoding = "utf-8"

    # A proxy from the environment would take what should stay on this machine elsewhere; one of the
    # packages reads it whatever trust_env says.
    is_here = is_loopback(endpoint.base_url)
    package = importlib.import_module(protocol.package)
    http_client = package.DefaultHttpxClient(
        timeout=endpoint.timeout_seconds,
        follow_redirects=False,
        trust_env=not is_here,
        mounts={f"{scheme}://": None for scheme in ("all", "http", "https") if is_here},
        event_hooks={"request": [keep_to_host], "response": [bound]},
    )
    return protocol.connect(endpoint, http_client)
