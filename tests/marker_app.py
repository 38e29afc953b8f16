"""A page of the tests' own: the marker over a text that the address names, and what it returns."""

import json
import re

import streamlit as st

from core.ui import marker

CASES = {
    "plain": "Ann met Bo in New York.\n\n  She left <b>Paris</b>"
    "<script>window.hit = 1</script> soon.",
    "signs": "👩‍👩‍👧 Ame\u0301lie 🇫🇷 flew to 東京都 today",
    "arabic": "ذهبت سارة إلى القاهرة مع عمر",
    "frames": "Ann sold Bo a car and Bo paid Ann on Monday",
    "long": " ".join(f"word{n} of" for n in range(2500)),
    "types": "Ann met Bo in New York on Monday and paid ten euros to the bank of England there",
}
UNSPACED = "\u3040-\u30ff\u3400-\u9fff"
WORD = re.compile(f"[{UNSPACED}]|[^\\s{UNSPACED}.<>/=]+|[.<>/=]")

st.set_page_config(layout="wide")
case = st.query_params.get("case", "plain")
text = CASES[case]
words = [found.span() for found in WORD.finditer(text)]
types, spans, roles = ["person", "place"], [], []
if case == "frames":
    types, roles = ["sale", "payment"], ["agent", "goods", "time"]
    spans = [{"start": 4, "end": 8, "type": "sale", "arguments": []}]
if case == "types":
    types = [f"{name}-{n}" for n, name in enumerate(["person", "place", "organization"] * 7, 1)][
        :20
    ]
if st.query_params.get("given"):
    spans = json.loads(st.query_params["given"])
letters = "1234567890abdefghijk"
card = st.session_state.setdefault("card", 0)
found = marker.mark(
    text, words, spans, types, dict(zip(types, letters, strict=False)), key=f"marks{card}",
    roles=roles, role_keys=dict(zip(roles, "qwe", strict=False)),
    context=st.query_params.get("context", ""),
    disabled=st.toggle("Disabled"),
)  # fmt: skip
st.text("none" if found is None else json.dumps(found))
with st.container(key="read"):
    marker.shown(text, found if found is not None else spans, types, roles)


def count(name: str) -> None:
    """Count a press of a button's shortcut."""
    st.session_state[name] = st.session_state.get(name, 0) + 1


st.button("One", shortcut="1", on_click=count, args=("ones",))
st.button("Next", shortcut="n", on_click=count, args=("card",))
st.write(f"ones: {st.session_state.get('ones', 0)}, card: {card}")
