#!/usr/bin/env bash
# sentencepiece 0.2.3
# One would guess: decode(encode(text)) is text: segmentation is said to lose nothing.
# What happens: two blanks become one, line breaks and tabs blanks, blanks at the ends go, and a ligature becomes letters.
# So: normalization_rule_name='identity', remove_extra_whitespaces=False: prompts that differ in blanks are one prompt otherwise.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="'alpha  beta' is 'alpha beta', ' alpha ' is 'alpha', 'alpha/nbeta' is 'alpha beta', '/ufb01le' is 'file'"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check sentencepiece==0.2.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import io
import random

import sentencepiece

random.seed(0)
words = ["alpha", "beta", "gamma", "delta", "run", "model", "loss", "file"]
lines = [" ".join(random.choices(words, k=8)) for _ in range(400)]
model = io.BytesIO()
sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=model, vocab_size=25, minloglevel=2)
pieces = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
texts = ["alpha  beta", " alpha ", "alpha" + chr(10) + "beta", chr(0xFB01) + "le"]
print(", ".join(ascii(text) + " is " + ascii(pieces.decode(pieces.encode(text))) for text in texts).replace(chr(92), "/"))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
