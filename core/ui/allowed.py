"""May who is at this page do what a button does? The action says which role it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.actions import access


def may(action: Callable[..., Any]) -> bool:
    """Say whether an action would be refused to who is here; then it need not be offered."""
    return access.may(_role(action))


def to(
    action: Callable[..., Any], *, disabled: bool = False, help: str | None = None
) -> dict[str, Any]:  # fmt: skip
    """Return how a widget that does an action is drawn: as given, or disabled with the reason."""
    if may(action):
        return {"disabled": disabled, "help": help}
    return {"disabled": True, "help": f"This is for the role {_role(action)} and up."}


def _role(action: Callable[..., Any]) -> Any:
    return action.needs  # type: ignore[attr-defined]  # by the decorator of that name
