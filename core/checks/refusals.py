"""Does a model refuse, or speak of itself, where a sample should be?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import ClassVar

from core.checks.base import Check, Item, Judge
from core.records import Verdict

_MODEL = (
    "as an? (?:responsible |helpful )?(?:ai|large language|artificial intelligence|language)"
    "(?: language)?[- ](?:model|assistant|chatbot|system)",
    "as an ai,? i (?:can|do|am|have|must|strive)",
    "i(?: a|['’])m (?:just |only |merely )?an? (?:ai|artificial intelligence|large language"
    "|language)(?: language)?[- ](?:model|assistant|chatbot|system)",
    "my (?:knowledge cut-?off|training data (?:only )?(?:goes|ends|includes|does))",
    "als (?:ein |eine )?(?:ki|ai|künstliche intelligenz)?[- ]?(?:sprachmodell|assistent)\\b",
    "en tant (?:que |qu['’])(?:modèle de langage|intelligence artificielle|ia,|assistant ia)",
    "como (?:un )?(?:modelo de lenguaje|asistente de ia|inteligencia artificial,|ia, (?:no|yo))",
    "como (?:um )?(?:modelo de linguagem|assistente de ia)",
    "(?:come|in quanto) (?:un )?(?:modello linguistico|modello di linguaggio|assistente ia)",
    "als (?:een )?(?:ai-)?taalmodel",
    "jako (?:model językowy|asystent ai)",
    "как (?:языковая модель|(?:большая )?языковая модель|искусственный интеллект,|ии-модель)",
    "作为(?:一个|一名)?(?:大型)?(?:ai|人工智能)?(?:语言模型|助手)",
    "(?:ai|大規模)?言語モデルとして",
    "(?:ai|인공지능) ?(?:언어 ?모델|어시스턴트)(?:로서|로써)",
)
"""What a model says of itself, anywhere in a text."""
_SORRY = "(?:i(?:['’]m| am) (?:really |very |so |truly )?sorry|i apologi[sz]e|sorry),? (?:but )?"
_CANNOT = (
    "i (?:cannot|can ?not|can['’]t|am (?:not able|unable) to|['’]m (?:not able|unable) to"
    "|won['’]t be able to|must (?:respectfully )?decline to|will not|(?:am|['’]m) not comfortable)"
)
_DO = (
    " (?:assist|help (?:you )?with|fulfil|comply|generat|creat|produc|provid|writ|paraphras|rewrit"
    "|engag|participat|support|discuss|answer|satisfy|rephras)\\w*"
)
_OBJECTS = (
    "\\b[^.!?]{0,80}\\b(?:requests?|content|prompts?|instructions?|(?:kind|type|sort)s? of"
    "|harmful|offensive|explicit|inappropriate|hateful|discriminatory|stereotypes?)\\b"
)
_REFUSES = (
    f"(?:{_SORRY})?(?:as [^.]{{0,40}}, )?{_CANNOT}{_DO}{_OBJECTS}",
    f"{_SORRY}{_CANNOT} (?:assist|comply|fulfil|help (?:you )?with (?:that|this)\\b)",
    "(?:es )?tut mir leid,? (?:aber )?(?:ich kann|dabei kann ich)(?: das| dir| ihnen)?[^.]{0,40}"
    "(?:nicht|keine)\\b[^.]{0,40}(?:helfen|erfüllen|erstellen|generieren|unterstützen)",
    "(?:je suis )?désolée?,? (?:mais )?je ne (?:peux|puis) pas (?:vous aider|t['’]aider|répondre à"
    "|générer|créer|fournir|satisfaire)",
    "lo siento,? (?:pero )?no puedo (?:ayudar|cumplir|generar|crear|proporcionar|responder a)",
    "(?:sinto muito|desculpe),? (?:mas )?não posso (?:ajudar|cumprir|gerar|criar|fornecer)",
    "mi dispiace,? (?:ma )?non posso (?:aiutar|soddisfare|generare|creare|fornire)",
    "het spijt me,? (?:maar )?ik kan (?:je |u )?(?:daar)?(?:niet|geen)",
    "(?:извините|простите|к сожалению),? (?:но )?я не могу"
    " (?:помочь|выполнить|создать|предоставить)",
    "(?:很?抱歉|对不起)[,,]?(?:但是?)?我(?:不能|无法)(?:提供|生成|协助|帮助|满足|完成)",
    "(?:申し訳(?:ありません|ございません)が|すみませんが)[、,]?[^。]{0,30}"
    "(?:お手伝い|お応え|生成|提供)[^。]{0,12}(?:できません|できかねます)",
    "죄송하지만[^.]{0,40}(?:도와드릴 수 없|생성할 수 없|제공할 수 없)",
)
"""How a refusal begins: only the beginning of a text is looked at."""
_OF_ITSELF = re.compile(f"(?<!\\w)(?:{'|'.join(_MODEL)})", re.IGNORECASE)
_REFUSAL = re.compile(f"[\\s\"'“”*«]*(?:{'|'.join(_REFUSES)})", re.IGNORECASE)


class Refusals(Check):
    """Flags a text in which a model refuses, or speaks of itself as a model.

    English and twelve other languages; a refusal counts only where a text begins with it.
    """

    title: ClassVar[str] = "Refusals"

    def start(self, existing: Iterable[Item]) -> Judge:
        """Return a judge; what is there already does not matter to it."""
        del existing
        return _RefusalJudge()


class _RefusalJudge(Judge):
    def judge(self, candidates: Sequence[Item]) -> list[Verdict]:
        """Return one verdict per candidate."""
        return [
            Verdict(Refusals.id(), item.id, bool(reason), reason=reason)
            for item, reason in ((item, _reason(item.text)) for item in candidates)
        ]


def _reason(text: str) -> str:
    """Return what is wrong with a text, in words of ours, or nothing."""
    if _OF_ITSELF.search(text):
        return "it speaks of itself as a language model"
    return "it begins like a model's refusal" if _REFUSAL.match(text) else ""
