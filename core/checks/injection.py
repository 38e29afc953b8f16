"""Does a text give instructions to a model that reads it?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import ClassVar

from core.checks.base import Check, Item, Judge
from core.records import Verdict

_TOLD = "(?:instructions?|prompts?|directions|directives|guidelines|system message)"
_OVERRIDES = re.compile(
    "(?<!\\w)(?:"
    "(?:ignore|disregard|forget|override|do not follow|don['’]t follow)(?: \\w+){0,3}?"
    " (?:previous|prior|above|preceding|earlier|foregoing|system|original|initial)"
    f"(?: \\w+){{0,2}}? {_TOLD}"
    f"|(?:ignore|disregard|forget|override)(?: \\w+){{0,3}}? {_TOLD}(?: \\w+){{0,4}}?"
    " (?:above|before|so far|previously|earlier|given to you|you (?:were|have been) given)"
    "|(?:ignore|disregard) (?:everything|all|anything) (?:above|(?:said |written )?before this)"
    "|(?:reveal|print|show|repeat|output|leak)(?: me| us)?(?: \\w+)? (?:your|the) (?:system|initial"
    "|hidden|original) (?:prompt|instructions|message)"
    "|you are now (?:in )?(?:dan|developer mode|jailbroken)\\b"
    "|(?:classify|label|mark|rate) this (?:text|sample|item|input|example|tweet|review|message)"
    " (?:as|with)\\b"
    "|ignorier\\w*(?: \\w+){0,3}? (?:vorherigen?|obigen?|bisherigen?|vorangegangenen?|früheren?)"
    " (?:anweisungen|instruktionen|anleitungen|befehle)"
    "|(?:ignore[sz]?|oublie[sz]?)(?: \\w+){0,2}? (?:instructions|consignes)"
    " (?:précédentes|ci-dessus|antérieures)"
    "|(?:ignora|ignore|olvida|olvide)(?: \\w+){0,2}? instrucciones (?:anteriores|previas)"
    "|(?:ignore|esqueça)(?: \\w+){0,2}? instruções (?:anteriores|acima|prévias)"
    "|(?:ignora|dimentica)(?: \\w+){0,2}? istruzioni (?:precedenti|sopra)"
    "|negeer(?: \\w+){0,2}? (?:vorige|bovenstaande|eerdere|voorgaande) (?:instructies|opdrachten)"
    "|(?:игнорируй|забудь)(?:те)?(?: \\w+){0,2}? (?:предыдущие|вышеуказанные|прежние)"
    " (?:инструкции|указания)"
    ")"
    "|(?:忽略|无视|忘记)[^。.!?]{0,6}(?:以上|之前|前面|上述|先前)[^。.!?]{0,6}(?:指令|指示|提示|说明)"
    "|(?:上記|これまで|以前|前)の[^。]{0,6}(?:指示|命令|プロンプト)を(?:すべて|全て)?(?:無視|忘れ)"
    "|이전(?:의)? ?(?:모든 )?(?:지시|명령)[^.]{0,6}무시",
    re.IGNORECASE,
)
_TURN_TAGS = re.compile(
    "<\\|(?:im_start|im_end|im_sep|system|user|assistant|end|endoftext|eot_id|begin_of_text"
    "|start_header_id|end_header_id|start_of_turn|end_of_turn|channel|message)\\|>"
    "|</?(?:start|end)_of_turn>|\\[/?INST\\]|<</?SYS>>"
)
_PROMPT_TAGS = re.compile(
    "</?(?:system|assistant|instructions?|system[-_ ](?:prompt|message|instructions?)"
    "|user[-_ ](?:prompt|message|input)|prompt)\\s*>",
    re.IGNORECASE,
)
_TURNS = re.compile(
    "^\\s*(?:#+ *)?(?:\\*\\*)?(?:"
    "system(?:\\*\\*)? *:(?:\\*\\*)? *(?:you (?:are|must|will|should)|ignore|disregard|from now on)"
    "|(?:system|new|updated) (?:prompt|message|instructions?)(?:\\*\\*)? *:"
    "|(?:human|user)(?:\\*\\*)? *:.*\\n(?:.*\\n){0,20}?"
    "\\s*(?:\\*\\*)?(?:assistant|ai)(?:\\*\\*)? *:"
    ")"
    "|^### *(?:instruction|system|response|assistant)s?(?: prompt)? *:",
    re.IGNORECASE | re.MULTILINE,
)
_JSON_ROLE = re.compile(
    "[\"']role[\"']\\s*:\\s*[\"'](?:system|assistant|user|developer)[\"']", re.IGNORECASE
)
_CLOSES = re.compile("[\"']\\s*\\]?\\s*\\}")
_LONGEST_TURNS = 20_000
"""Characters of a text up to which turns are looked for."""


class Injection(Check):
    """Flags a text that speaks to a model: a command to ignore its prompt, or tags of a prompt."""

    title: ClassVar[str] = "Instructions to a model"

    def start(self, existing: Iterable[Item]) -> Judge:
        """Return a judge; what is there already does not matter to it."""
        del existing
        return _InjectionJudge()


class _InjectionJudge(Judge):
    def judge(self, candidates: Sequence[Item]) -> list[Verdict]:
        """Return one verdict per candidate."""
        return [
            Verdict(Injection.id(), item.id, bool(reason), reason=reason)
            for item, reason in ((item, _reason(item.text)) for item in candidates)
        ]


def _reason(text: str) -> str:
    """Return what is wrong with a text, in words of ours, or nothing."""
    if _OVERRIDES.search(text):
        return "it tells a model what to do with its instructions or with this text"
    if _TURN_TAGS.search(text):
        return "it holds the marks of a chat model's turns"
    if "<" in text and _PROMPT_TAGS.search(text):
        return "it holds tags such as prompts have"
    if ":" in text and _TURNS.search(text[:_LONGEST_TURNS]):
        return "it holds a system message, or turns of a chat with a model"
    if _JSON_ROLE.search(text) or (_CLOSES.search(text) and text.count("}") > text.count("{")):
        return "it closes or continues the JSON of a prompt"
    return ""
