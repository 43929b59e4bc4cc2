#!/usr/bin/env bash
# tokenizers 0.22.2
# One would guess: a letter that the vocabulary lacks raises, or becomes an unknown token
# What happens: with BPE and no unk_token it is left out without a word: two texts that differ in such letters have the same tokens
# So: unk_token or byte_fallback is set, and what is encoded is decoded and compared
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[['3+4=7'], ['3', '4', '=7'], ['3+4=7']]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tokenizers==0.22.2
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from tokenizers import Tokenizer, models, trainers
tokenizer = Tokenizer(models.BPE())
tokenizer.train_from_iterator(["3+4=7", "7+1=8"], trainers.BpeTrainer(vocab_size=20, show_progress=False))
print([tokenizer.encode(text).tokens for text in ("3+4=7", "3-4=7", "93+4=7")])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
