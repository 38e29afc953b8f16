"""What is downloaded is made when it is asked for, outside the page, by who was at the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.ui import signing_in


def button(
    label: str, data: Callable[[], str | bytes], file_name: str, mime: str, **about: Any
) -> None:
    """Show a button that makes a file and brings it to the browser; the page does not run anew."""
    st.download_button(
        label, signing_in.bound(data), file_name, mime, **{"on_click": "ignore", **about}
    )
