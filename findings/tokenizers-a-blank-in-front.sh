#!/usr/bin/env bash
# tokenizers 0.22.2
# One would guess: the texts 3+4 and 3+4 with a blank in front have other tokens, and what is decoded is what was encoded
# What happens: ByteLevel puts a blank in front of each text that has none: both have the same tokens, and both are decoded with the blank; add_prefix_space=False leaves it
# So: add_prefix_space=False is given
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True ' 3+4' False '3+4'"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tokenizers==0.22.2
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
for given in {}, {"add_prefix_space": False}:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(**given)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(["3+4=7"], trainer)
    one, two = tokenizer.encode("3+4").ids, tokenizer.encode(" 3+4").ids
    print(one == two, repr(tokenizer.decode(one)), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
