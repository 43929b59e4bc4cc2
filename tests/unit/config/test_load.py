"""What a person may write in a configuration, and the sentence that answers what they may not."""

import pytest
import yaml

from ontogeny.config import identity_hash, load_config, read_config, runs_of
from ontogeny.errors import OntogenyError

TEMPLATE = """\
studies:
  digits:
    defaults:
      model: {name: mlp, hidden: [32]}
      training: {steps: 100, batch_size: 32}
    runs:
      one: {seeds: 2}
      two:
        __RUN__
    analyses: __STUDY__
analyses: __TOP__
"""


def write(tmp_path, run="{}", study="{}", top="{}"):
    path = tmp_path / "config.yaml"
    path.write_text(TEMPLATE.replace("__RUN__", run).replace("__STUDY__", study).replace("__TOP__", top))
    return path


def refused(tmp_path, **parts):
    with pytest.raises(OntogenyError) as caught:
        read_config(write(tmp_path, **parts))
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_runs_are_named_by_key_and_seed(tmp_path):
    runs = runs_of(read_config(write(tmp_path)))
    assert list(runs) == ["one/s0", "one/s1", "two/s0"]
    assert runs["one/s1"].seed == 1
    assert runs["two/s0"].study == "digits"


def test_defaults_reach_every_run_and_a_run_wins(tmp_path):
    config = read_config(write(tmp_path, run="training: {steps: 7}"))
    run = config.studies["digits"].runs["two"]
    assert (run.training.steps, run.training.batch_size, run.model.hidden) == (7, 32, [32])


def test_another_model_does_not_inherit_the_settings_of_the_default_one(tmp_path):
    config = read_config(write(tmp_path, run="model: cnn_shallow"))
    assert config.studies["digits"].runs["two"].model.overrides() == {}


@pytest.mark.parametrize(
    ("run", "parts"),
    [
        ("training: {stepz: 5}", ["line 9", "studies.digits.runs.two.training.stepz", "did you mean 'steps'"]),
        ("training: {steps: -5}", ["line 9", "training.steps is -5", "greater than or equal to 1"]),
        ("training: {checkpoint_every: 0}", ["checkpoint_every is 0", "greater than or equal to 1"]),
        ("training: {steps: many}", ['training.steps is "many"', "whole number"]),
        ("training: {learning_rate: .nan}", ["learning_rate"]),
        ("model: mlp_shalow_2", ["runs.two.model is", "did you mean 'mlp_shallow_2'", "vit"]),
        ("task: fashion_minst", ["runs.two.task is", "did you mean 'fashion_mnist'"]),
        ("task: {name: deep_liner}", ["line 9", "runs.two.task.name is", "mean 'deep_linear'? Allowed: digits, mnist"]),
        ("seeds: [3, 3]", ["two.seeds", "a seed appears twice"]),
        ("seeds: 1000000000", ["two.seeds", "exceed the maximum of 1000000 per run"]),
        ("seeds: []", ["seeds"]),
        ("seeds: 7-3", ["two.seeds", "seeds from 7 to 3 are none"]),
        ("capture_steps: [101]", ["contains 101", "last step, 100"]),
        ("modle: mlp", ["did you mean 'model'"]),
    ],
)
def test_a_wrong_run_is_one_sentence_with_file_key_and_cure(tmp_path, run, parts):
    sentence = refused(tmp_path, run=run)
    assert "config.yaml" in sentence
    for part in parts:
        assert part in sentence


def test_gates_may_be_a_name_or_a_list_in_defaults_and_runs():
    runs = {"a": {}, "b": {"task": "AND"}, "c": {"task": ["XOR", "AND"]}, "d": {"task": {"noise_std": 0.1}}}
    config = load_config({"studies": {"s": {"kind": "circuits", "defaults": {"task": "OR"}, "runs": runs}}})
    found = {name: run.task.gates for name, run in config.studies["s"].runs.items()}
    assert found == {"a": ["OR"], "b": ["AND"], "c": ["XOR", "AND"], "d": ["OR"]}


def test_a_mistake_in_the_defaults_is_found_where_it_was_written(tmp_path):
    path = write(tmp_path)
    path.write_text(path.read_text().replace("batch_size: 32", "batch_sise: 32"))
    with pytest.raises(OntogenyError, match=r"line 5: unknown key 'studies.digits.defaults.training.batch_sise'"):
        read_config(path)


def test_a_mistake_on_the_command_line_is_said_to_be_there(tmp_path):
    path = write(tmp_path)
    raw = yaml.safe_load(path.read_text())
    raw["analyses"] = {"jumps": {"threshold": "high"}}
    with pytest.raises(OntogenyError, match=r"^--config: analyses.jumps.threshold is \"high\"; it should be"):
        load_config(raw, [path])


def test_wrong_analyses_are_found_at_the_top_and_in_a_study(tmp_path):
    assert "did you mean 'jumps'" in refused(tmp_path, top="{jumpz: {}}")
    sentence = refused(tmp_path, study="{jumps: {threshold: -1}}")
    assert "studies.digits.analyses.jumps.threshold is -1" in sentence
    assert "line 10" in sentence
    assert "detector pelt has no threshold" in refused(tmp_path, top="{jumps: {detector: pelt, threshold: 3}}")


def test_a_study_overrides_the_analyses_at_the_top(tmp_path):
    config = read_config(
        write(tmp_path, top="{jumps: {threshold: 9, noise_floor: 0.01}}", study="{jumps: {threshold: 4}}")
    )
    jumps = config.analyses_of("digits").jumps
    assert (jumps.threshold, jumps.noise_floor) == (4, 0.01)


def test_a_key_given_twice_is_refused_with_both_lines(tmp_path):
    sentence = refused(tmp_path, run="seeds: 1\n        seeds: 2")
    assert "line 10" in sentence
    assert "line 9" in sentence


def test_broken_yaml_and_missing_files_are_told(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("studies: {")
    with pytest.raises(OntogenyError, match="line 1 is not YAML"):
        read_config(path)
    with pytest.raises(OntogenyError, match="does not exist"):
        read_config(tmp_path / "absent.yaml")


def test_strings_of_the_command_line_become_what_the_key_wants():
    raw = {"studies": {"s": {"runs": {"r": {"seeds": "[0, 3]", "tracking": "{every: 3}", "training": {"steps": "4"}}}}}}
    run = load_config(raw).studies["s"].runs["r"]
    assert (run.seeds, run.tracking.every, run.training.steps) == ([0, 3], 3, 4)
    raw["studies"]["s"]["runs"]["r"]["seeds"] = "5-8"
    assert load_config(raw).studies["s"].runs["r"].seeds == [5, 6, 7, 8]


def test_titles_and_labels_are_one_line(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("studies:\n  s:\n    title: |\n      A\n      title\n    runs: {r: {label: ' a\\tlabel '}}\n")
    study = read_config(path).studies["s"]
    assert (study.title, study.runs["r"].label) == ("A title", "a\\tlabel")


@pytest.mark.parametrize("written", ["1000", "1000.0", "1e3", "1.0e+3", '"1e3"'])
def test_a_whole_number_may_be_written_with_a_point_or_an_exponent(tmp_path, written):
    path = tmp_path / "c.yaml"
    path.write_text(f"studies: {{s: {{runs: {{r: {{training: {{steps: {written}}}}}}}}}}}\n")
    assert read_config(path).studies["s"].runs["r"].training.steps == 1000


def test_two_studies_cannot_hold_a_run_of_the_same_name():
    raw = {"studies": {"a": {"runs": {"r": {}}}, "b": {"runs": {"r": {}}}}}
    with pytest.raises(OntogenyError, match="rename one of them"):
        load_config(raw)


@pytest.mark.parametrize("name", ["../up", "a/b", "<script>", "", "-x", "x" * 200])
def test_names_that_would_leave_the_results_folder_are_refused(name):
    with pytest.raises(OntogenyError, match="cannot be a name"):
        load_config({"studies": {"s": {"runs": {name: {}}}}})


def test_identity_counts_what_is_computed_and_not_what_it_is_called():
    def identity(**run):
        config = load_config({"studies": {"s": {"runs": {"r": run}}}})
        return identity_hash(next(iter(runs_of(config).values())).identity())

    assert identity() == identity(label="A name", capture_steps=[3])
    assert identity() != identity(training={"learning_rate": 0.002})
    assert identity() != identity(seeds=[1])


@pytest.mark.parametrize("kind", ["circuits", "connectome", "dynamics", "judge"])
def test_two_runs_of_a_study_cannot_share_a_label(tmp_path, kind):
    path = tmp_path / "config.yaml"
    text = "studies:\n  s:\n    kind: {}\n    runs:\n      a: {}\n      b: {{label: same}}\n      same: {{}}\n"
    path.write_text(text.format(kind, "{label: same}"))
    with pytest.raises(OntogenyError, match=r"line 6: studies\.s\.runs\.b\.label: the runs a and b are both called"):
        read_config(path)
    path.write_text(text.format(kind, "{}"))
    with pytest.raises(OntogenyError, match=r"line 6: studies\.s\.runs\.b\.label: the runs b and same are both"):
        read_config(path)


def test_a_label_of_the_defaults_is_no_label_for_two_runs(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("studies:\n  s:\n    defaults: {label: same}\n    runs:\n      a: {}\n      b: {}\n")
    with pytest.raises(OntogenyError, match=r"line 3: studies\.s\.defaults\.label: .* both called \"same\""):
        read_config(path)


def test_sweeps_of_runs_with_one_label_are_refused_where_the_run_stands(tmp_path):
    path = tmp_path / "config.yaml"
    runs = "".join(f"      {key}: {{label: same}}\n" for key in "ab")
    path.write_text(f"studies:\n  s:\n    sweep: {{grid: {{training.steps: [2, 3]}}}}\n    runs:\n{runs}")
    with pytest.raises(OntogenyError, match=r"line 6: studies\.s\.runs\.b: the runs a_steps2 and b_steps2 are both"):
        read_config(path)


def test_studies_may_use_each_others_labels():
    load_config({"studies": {study: {"runs": {run: {"label": "same"}}} for study, run in ("ab", "cd")}})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: &a [*a]", "c.yaml: a block is nested over 50 levels deep, or contains itself"),
        (
            "studies:\n  s:\n    runs: &r\n      a: {training: *r}",
            "a block is nested over 50 levels deep, or contains itself",
        ),
        ("a: " + "[" * 5000 + "]" * 5000, "a block is nested over 50 levels deep"),
        (
            "a0: &a0 [1,1,1,1,1,1,1,1,1]\n"
            + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)),
            "it has 4,412,961,506 values; the maximum is 10,000,000",
        ),
        ("", "contains nothing, not the keys"),
        ("studies: {}\0", "unacceptable character"),
        ("studies: {s: null}", "line 1: studies.s is null; it should be a mapping of keys to values"),
        ("studies: {s: {kind: null, runs: {r: {}}}}", "line 1: studies.s.kind is null; it should be a name: dynamics"),
        (
            "studies: {s: {kind: judge, runs: {r: {task: {prompts: [5]}}}}}",
            "line 1: studies.s.runs.r.task.prompts[0] is 5; it should be text",
        ),
        ("studies: {s: {runs: {r: {seeds: []}}}}", "seeds is []; it should have at least 1 item, not 0"),
        ("studies: {s: {runs: {r: {seeds: 0}}}}", "seeds: 0 stands for no seed: give 1 or more, or a list of seeds"),
        (
            "studies: {s: {runs: {r: {training: {learning_rate: yes}}}}}",
            "training.learning_rate: 'true' is not a number",
        ),
        (
            "studies: {s: {runs: {r: {training: {steps: on}}}}}",
            "line 1: studies.s.runs.r.training.steps: 'true' is not a",
        ),
        ("studies: {s: {runs: {r: {training: {steps: 2.5}}}}}", "training.steps is 2.5; it should be a whole number"),
        ("studies: {s: {runs: {r: {training: {steps: 1e20}}}}}", "steps is 1e+20; it should be at most 2,147,483,647"),
        ("studies: {s: {runs: {r: {training: {steps: 10000000000}}}}}", "steps: 10000000000 is too large; whole"),
    ],
)
def test_odd_yaml_and_odd_values_end_in_one_sentence(tmp_path, text, sentence):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(OntogenyError) as caught:
        read_config(path)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("studies: {digits: []}", "studies.digits is []"),
        ("studies: {digits: 3}", "studies.digits is 3"),
        ("studies: {digits: ''}", 'studies.digits is ""'),
        ("studies: {s: {kind: circuits, runs: {x: []}}}", "studies.s.runs.x is []"),
        ("studies: {s: {runs: {a: ''}}}", 'studies.s.runs.a is ""'),
        ("studies: {s: {runs: ''}}", 'studies.s.runs is ""'),
        ("studies: {s: {defaults: '', runs: {a: {}}}}", 'studies.s.defaults is ""'),
        ("studies: {s: {runs: {a: {model: []}}}}", "studies.s.runs.a.model is []"),
        ("studies: {s: {defaults: {model: []}, runs: {a: {}}}}", "studies.s.defaults.model is []"),
        ("studies: {s: {runs: {a: {training: ''}}}}", 'studies.s.runs.a.training is ""'),
        ("studies: {s: {kind: judge, runs: {a: {model: []}}}}", "studies.s.runs.a.model is []"),
        ("studies: {s: {kind: judge, runs: {a: {task: [3]}}}}", "studies.s.runs.a.task[0] is 3"),
        ("studies: {s: {kind: circuits, runs: {a: {task: []}}}}", "studies.s.runs.a.task is []"),
        ("studies: {s: {kind: connectome, runs: {a: {data: ''}}}}", 'studies.s.runs.a.data is ""'),
        ("phase1_imports: [1, 2]", "phase1_imports[0] is 1"),
        ("phase1_imports: {a: [1]}", "phase1_imports.a[0] is 1"),
        ("analyses: ''", 'analyses is ""'),
    ],
)
def test_a_block_of_the_wrong_shape_is_told_as_it_was_written(tmp_path, written, key):
    file = tmp_path / "config.yaml"
    file.write_text(f"# A first line.\n{written}\n")
    with pytest.raises(OntogenyError) as caught:
        read_config(file)
    assert str(caught.value).startswith(f"{file}, line 2: {key}; it should ")


@pytest.mark.parametrize(("text", "held"), [("", "nothing"), ("- a\n- b\n", "a list"), ("hello\n", "one value")])
def test_a_file_without_keys_is_told(tmp_path, text, held):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(OntogenyError, match=f"contains {held}, not the keys"):
        read_config(tmp_path / "c.yaml")
