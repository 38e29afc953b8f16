"""A language model of 40,000 weights, made on the spot: what it writes is nonsense."""

from __future__ import annotations

from pathlib import Path

N_READ = 4096
"""Tokens that it reads, prompt and reply together."""

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}"
    "<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
WORDS = ["wave tide shell harbour", "cloud wind star rain", '{"items": [{"text": "a"}]}']


def save(folder: Path, *, has_chat: bool = True, seed: int = 0, n_read: int = N_READ) -> Path:
    """Save a random Llama of two layers and a byte-level tokenizer trained here in a folder."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(WORDS, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="<|end|>", pad_token="<|end|>"
    )
    fast.chat_template = TEMPLATE if has_chat else None
    fast.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=n_read,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        # Wide enough that the words depend on weights and prompt, and not on the draw alone.
        initializer_range=0.3,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    # Without this, some servers draw nothing, whatever temperature they are sent.
    model.generation_config.do_sample = True
    model.save_pretrained(folder)
    return folder
