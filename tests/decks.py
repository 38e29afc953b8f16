"""What does the deck of a page hold, and how are its keys pressed without a browser?"""

from __future__ import annotations

import json
from typing import Any

from streamlit.testing.v1 import AppTest

from core.actions.presses import Press


def held(app: AppTest) -> dict[str, Any]:
    """Return what the browser is sent: cards, commands, numbers and outcomes."""
    (deck,) = [one for one in app.get("bidi_component") if "commands" in one.proto.json]
    found: dict[str, Any] = json.loads(deck.proto.json)
    return found


def texts(app: AppTest) -> list[str]:
    """Return the main texts of the cards that are held."""
    return [card["parts"][0]["text"] for card in held(app)["cards"]]


def press(app: AppTest, kind: str, value: str = "", **looks: Any) -> AppTest:
    """Press a key on the first card, or on the `sample` named, and let the page run."""
    data = held(app)
    card = data["cards"][0] if data["cards"] else {"id": None, "revision": 0}
    desk = _desk(app, data["name"])
    known = {"sample": card["id"], "revision": card["revision"], "seconds": 1.5, **looks}
    desk.take([Press(f"{kind}{len(desk.outcomes)}", kind, value=value, **known)])
    app.run()
    assert not app.exception
    return app


def open_part(app: AppTest, what: str) -> AppTest:
    """Open a part of the first card, such as its editor."""
    data = held(app)
    _desk(app, data["name"]).open(what, data["cards"][0]["id"])
    app.run()
    assert not app.exception
    return app


def _desk(app: AppTest, name: str) -> Any:
    page, project, who, *_ = name.split(" ")
    return app.session_state[f"desk_{page}_{project}_{who}"]
