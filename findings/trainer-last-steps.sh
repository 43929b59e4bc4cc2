#!/usr/bin/env bash
# transformers 5.24.0, torch 2.13.0
# One would guess: with logging_steps=10 the losses of the last five of 25 steps are logged at the end.
# What happens: they are in no entry but the mean over the whole training.
# So: choose a number of steps that logging_steps divides, or logging_steps=1, when the end of a run counts.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="losses at 10 20"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check transformers==5.24.0 accelerate==1.15.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import contextlib
import io

import torch
import transformers

rows = [{"input_ids": torch.arange(4), "labels": torch.arange(4)}] * 100
model = transformers.GPT2LMHeadModel(transformers.GPT2Config(n_layer=1, n_head=1, n_embd=8, vocab_size=7, n_positions=8))
arguments = transformers.TrainingArguments("run", max_steps=25, logging_steps=10, report_to=[], use_cpu=True, save_strategy="no", disable_tqdm=True)
trainer = transformers.Trainer(model, arguments, train_dataset=rows)
with contextlib.redirect_stdout(io.StringIO()):
    trainer.train()
print("losses at", *[entry["step"] for entry in trainer.state.log_history if "loss" in entry])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
