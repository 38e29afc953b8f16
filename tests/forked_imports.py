"""What the process that workers are forked from has in hand before the first is wanted."""

import anthropic  # noqa: F401
import httpx2  # noqa: F401
import openai  # noqa: F401
import sklearn.feature_extraction.text
import sklearn.linear_model
import sklearn.preprocessing  # noqa: F401
import torch  # noqa: F401
from transformers import BertModel, BertTokenizerFast  # noqa: F401

from core.checks import language
from core.jobs import answers, checking, encoding, generation, saving, scoring, training  # noqa: F401
from core.providers import (  # noqa: F401
    _bounded,
    anthropic_chat,
    openai_chat,
    openai_compatible,
)

language._recogniser()
