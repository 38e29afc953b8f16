"""An identity provider on loopback: OpenID Connect with code, PKCE and signed tokens.

It signs in whoever a test says, without asking, looks at what it is sent as a real one does, and
forges the next answer in a way of `FORGERIES` on order.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests import loopback

CLIENT, SECRET = "admix", "the secret of the client"
FORGERIES = (
    "another key", "no signature", "another nonce", "another audience", "another issuer",
    "long expired", "another state",
)  # fmt: skip
"""What may be wrong with an answer: its token, or the state that it is sent back with."""

Query = dict[str, str]


class WrongRequestError(Exception):
    """A request that a provider refuses."""


class IdentityProvider(ThreadingHTTPServer):
    """Signs in `person`, the claims of whoever sits at the browser, until a test says another."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.person: dict[str, Any] = {}
        self.forgery = ""
        self.asked: list[Query] = []
        """What each sign-in was asked with."""
        self.left: list[Query] = []
        """What each sign-out was asked with."""
        self.refused: list[str] = []
        self.tokens: list[str] = []
        self._codes: dict[str, tuple[Query, dict[str, Any]]] = {}
        self._issued_at = 0
        self._key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self._other_key = RSAKey.generate_key(2048, {"kid": "one"})

    @property
    def url(self) -> str:
        """Return the issuer: a name that is another site than the app's 127.0.0.1."""
        return f"http://localhost:{self.server_address[1]}"

    def write_secrets(self, path: Path) -> Path:
        """Write the secrets.toml of an app that signs people in here."""
        path.write_text(
            "[auth]\n"
            'redirect_uri = "http://127.0.0.1:{port}/oauth2callback"\n'
            f'cookie_secret = "{secrets.token_hex(32)}"\n'
            f'client_id = "{CLIENT}"\nclient_secret = "{SECRET}"\n'
            f'server_metadata_url = "{self.url}/.well-known/openid-configuration"\n'
        )
        path.chmod(0o600)
        return path

    def discovery(self) -> dict[str, Any]:
        """Return where what is."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "end_session_endpoint": f"{self.url}/leave",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }

    def keys(self) -> dict[str, Any]:
        """Return the public key that tokens are signed with."""
        return {"keys": [self._key.as_dict(private=False)]}

    def authorize(self, query: Query) -> str:
        """Return where the browser goes back to, with a code for the person."""
        self.asked.append(query)
        _expect(query.get("client_id") == CLIENT, "client")
        _expect(query.get("response_type") == "code", "response type")
        _expect("openid" in query.get("scope", "").split(), "scope")
        _expect(query.get("redirect_uri", "").endswith("/oauth2callback"), "redirect")
        _expect(query.get("code_challenge_method") == "S256", "challenge")
        code = secrets.token_urlsafe(16)
        self._codes[code] = (query, dict(self.person))
        state = "forged" if self.forgery == "another state" else query["state"]
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': state})}"

    def token(self, authorization: str, form: Query) -> dict[str, Any]:
        """Return the tokens for a code, once."""
        told = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        _expect(told == f"{CLIENT}:{SECRET}", "client's secret")
        query, person = self._codes.pop(form.get("code", ""), ({}, {}))
        _expect(form.get("grant_type") == "authorization_code" and bool(query), "code")
        _expect(form.get("redirect_uri") == query["redirect_uri"], "redirect")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        _expect(_base64(digest) == query["code_challenge"], "verifier")
        # Two sign-ins are never of the same second: a test is quicker than a person.
        self._issued_at = max(int(time.time()), self._issued_at + 1)
        access = secrets.token_urlsafe(16)
        claims = {"iss": self.url, "aud": CLIENT, "iat": self._issued_at,
                  "exp": self._issued_at + 600, "nonce": query["nonce"],
                  "at_hash": _base64(hashlib.sha256(access.encode()).digest()[:16]),
                  **person}  # fmt: skip
        signed = self._signed(claims)
        self.tokens += [access, signed]
        return {"access_token": access, "token_type": "Bearer", "expires_in": 600,
                "id_token": signed}  # fmt: skip

    def _signed(self, claims: dict[str, Any]) -> str:
        header = {"alg": "RS256", "kid": "one"}
        match self.forgery:
            case "another key":
                return jwt.encode(header, claims, self._other_key)
            case "no signature":
                parts = ({"alg": "none"}, claims)
                return ".".join(_base64(json.dumps(part).encode()) for part in parts) + "."
            case "another nonce":
                claims["nonce"] = "forged"
            case "another audience":
                claims["aud"] = "another app"
            case "another issuer":
                claims["iss"] = "https://login.other.example"
            case "long expired":
                claims |= {"iat": claims["iat"] - 7200, "exp": claims["exp"] - 7200}
        return jwt.encode(header, claims, self._key)


def serving() -> AbstractContextManager[IdentityProvider]:
    """Serve until the end of the block."""
    return loopback.serving(IdentityProvider())


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise WrongRequestError(what)


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class _Handler(BaseHTTPRequestHandler):
    server: IdentityProvider

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        try:
            if url.path == "/.well-known/openid-configuration":
                self._send(200, self.server.discovery())
            elif url.path == "/jwks":
                self._send(200, self.server.keys())
            elif url.path == "/authorize":
                self._send(302, None, self.server.authorize(query))
            elif url.path == "/leave":
                self.server.left.append(query)
                self._send(302, None, query["post_logout_redirect_uri"])
            else:
                self._send(404, {})
        except WrongRequestError as wrong:
            self.server.refused.append(str(wrong))
            self._send(400, {"error": "invalid_request", "error_description": str(wrong)})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        try:
            authorization = self.headers.get("Authorization", "")
            self._send(200, self.server.token(authorization, dict(parse_qsl(body))))
        except WrongRequestError as wrong:
            self.server.refused.append(str(wrong))
            self._send(400, {"error": "invalid_grant", "error_description": str(wrong)})

    def _send(self, status: int, answer: dict[str, Any] | None, to: str | None = None) -> None:
        body = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        if to:
            self.send_header("Location", to)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
