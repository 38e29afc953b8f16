"""Trains as people's scripts do, in an environment of its own; `benchmarks/sweep.py` starts it.

`python trainers.py WHAT ENCODER EPOCHS BATCH RATE STEPS TRIALS.json` prints seconds and accuracy by
trial as JSON. WHAT is sklearn (embeddings by sentence-transformers, encoded in every trial), setfit
(STEPS of its contrastive training only), or trainer (the Trainer of transformers).
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np


class Peer:
    """One way to train, ready for trial after trial."""

    def __init__(self, arguments: list[str]) -> None:
        what, self.folder, epochs, batch, rate, steps, file = arguments
        self.what, self.epochs, self.batch = what, float(epochs), int(batch)
        self.rate, self.steps, self.out = float(rate), int(steps), f"{file}.out"
        with Path(file).open(encoding="utf-8") as opened:
            self.trials = json.load(opened)
        first = self.trials[0]
        self.names = sorted({*first["labels"], *first["gold"]})
        self.encoder = self.sentences() if what == "sklearn" else None

    def sentences(self):
        """Return the encoder as sentence-transformers has it."""
        from sentence_transformers import SentenceTransformer, models

        words = models.Transformer(self.folder, max_seq_length=256)
        pooling = models.Pooling(words.get_word_embedding_dimension())
        return SentenceTransformer(modules=[words, pooling, models.Normalize()], device="cpu")

    def numbers(self, labels):
        return [self.names.index(label) for label in labels]

    def sklearn(self, trial):
        """Encode the trial's texts and fit a head on them."""
        from sklearn.linear_model import LogisticRegression

        features = self.encoder.encode(trial["train"] + trial["test"], show_progress_bar=False)
        n = len(trial["train"])
        head = LogisticRegression(C=3.0, max_iter=1000).fit(features[:n], trial["labels"])
        return head.predict(features[n:])

    def setfit(self, trial):
        """Train the embeddings for some steps; says nothing of the test set."""
        from setfit import SetFitModel, Trainer, TrainingArguments
        from sklearn.linear_model import LogisticRegression

        model = SetFitModel(
            model_body=self.sentences(), model_head=LogisticRegression(max_iter=1000)
        )
        arguments = TrainingArguments(
            batch_size=16, num_iterations=20, max_steps=self.steps, output_dir=self.out,
            save_strategy="no", report_to="none",
        )  # fmt: skip
        trainer = Trainer(model=model, args=arguments)
        trainer.train_embeddings(trial["train"], self.numbers(trial["labels"]), args=arguments)

    def trainer(self, trial):
        """Tokenise, fine-tune and predict."""
        from transformers import (
            AutoModelForSequenceClassification,
            AutoTokenizer,
            DataCollatorWithPadding,
            Trainer,
            TrainingArguments,
        )

        tokenizer = AutoTokenizer.from_pretrained(self.folder)
        model = AutoModelForSequenceClassification.from_pretrained(
            self.folder, num_labels=len(self.names)
        )
        arguments = TrainingArguments(
            output_dir=self.out, num_train_epochs=self.epochs,
            per_device_train_batch_size=self.batch, per_device_eval_batch_size=64,
            learning_rate=self.rate, weight_decay=0.01, save_strategy="no", report_to="none",
            disable_tqdm=True, use_cpu=True, dataloader_pin_memory=False,
        )  # fmt: skip
        made = Trainer(
            model=model, args=arguments, data_collator=DataCollatorWithPadding(tokenizer),
            train_dataset=self.rows(tokenizer, trial["train"], trial["labels"]),
        )  # fmt: skip
        made.train()
        found = made.predict(self.rows(tokenizer, trial["test"], trial["gold"])).predictions
        return [self.names[number] for number in found.argmax(axis=1)]

    def rows(self, tokenizer, texts, labels):
        """Return texts as the Trainer takes them."""
        from datasets import Dataset

        made = Dataset.from_dict({"text": texts, "label": self.numbers(labels)})
        return made.map(
            lambda some: tokenizer(some["text"], truncation=True, max_length=128),
            batched=True, remove_columns=["text"],
        )  # fmt: skip


def main() -> None:
    """Run the trials and print what they took and came to."""
    started = time.perf_counter()
    peer = Peer(sys.argv[1:])
    start = time.perf_counter() - started
    seconds, right = [], []
    for trial in peer.trials:
        begun = time.perf_counter()
        said = getattr(peer, peer.what)(trial)
        seconds.append(time.perf_counter() - begun)
        if said is not None:
            pairs = zip(said, trial["gold"], strict=True)
            right.append(float(np.mean([a == b for a, b in pairs])))
    print(json.dumps({"start": start, "seconds": seconds, "accuracy": right}))


if __name__ == "__main__":
    main()
