"""Snakemake's questions while it plans: the answers are its own, and come with less work."""

import random
from types import SimpleNamespace

import pytest
import snakemake.cli  # noqa: F401  (else its modules import each other in a circle)
from snakemake.dag import DAG
from snakemake.exceptions import ChildIOException
from snakemake.io import AnnotatedString, IOFile, check, flag, is_flagged
from snakemake.output_index import OutputIndex
from snakemake.sourcecache import LocalSourceFile, SourceFile

from ontogeny.pipeline import planning

PATTERNS = [
    "results/runs/{run}/config.json", "results/runs/{run}/phase1.json", "results/runs/{run,[a-c/0-9]+}/config.json",
    "results/{study}/{run}/map.png", "results/figures/{study}/{run}.png", "results/all.csv", "results/runs/{run}/jumps",
    "results/runs/{run}", "{anything}", "results/activity/{activity,x|y}.json", "results/{study}/{study}_memory.md",
]  # fmt: skip


class Rule:
    """A rule as far as the index of outputs asks."""

    def __init__(self, *patterns):
        self.files = [IOFile(pattern) for pattern in patterns]

    def products(self):
        return self.files

    def is_producer(self, target):
        return any(file.match(target) for file in self.files)


@pytest.fixture
def places(monkeypatch):
    """What is replaced, put back at the end."""
    for function in (check, is_flagged):
        for holder in planning._holders(function.__name__, function):
            monkeypatch.setattr(holder, function.__name__, function)
    known = {OutputIndex: "match_producers", DAG: "check_directory_outputs", SourceFile: "get_cache_path"}
    for place, name in known.items():
        monkeypatch.setattr(place, name, getattr(place, name))
    return known


def test_the_installed_version_is_the_known_one_and_is_replaced_once(places):
    before = {place: getattr(place, name) for place, name in places.items()}
    assert planning.plan_faster() == []
    after = {place: getattr(place, name) for place, name in places.items()}
    assert all(after[place].__wrapped__ is before[place] for place in places)
    assert planning.plan_faster() == []
    assert {place: getattr(place, name) for place, name in places.items()} == after


def test_a_function_that_reads_otherwise_is_left(places, monkeypatch):
    def check_directory_outputs(dag):
        """What another version does."""

    monkeypatch.setattr(DAG, "check_directory_outputs", check_directory_outputs)
    monkeypatch.delattr(SourceFile, "get_cache_path")
    assert planning.plan_faster() == ["check_directory_outputs", "get_cache_path"]
    assert DAG.check_directory_outputs is check_directory_outputs


def test_the_same_rules_make_a_file():
    rules = [Rule(*PATTERNS[:2]), *map(Rule, PATTERNS[2:]), Rule(*PATTERNS[4:7]), Rule()]
    index, ordinary = OutputIndex(rules), OutputIndex.match_producers
    find, draw = planning._match_producers(ordinary), random.Random(0)
    words = ["results", "runs", "a", "b/s0", "x", "config.json", "map.png", "jumps", "a.png", "x.json", "all.csv", ""]
    targets = {"/".join(draw.choices(words, k=draw.randint(1, 5))) for _ in range(2000)} | {"results/m/m_memory.md"}
    found = {target: find(index, target) for target in targets}
    assert found == {target: ordinary(index, target) for target in targets}
    assert {len(rules) for rules in found.values()} >= {1, 2, 3}


def test_only_outputs_with_the_right_ends_are_compared():
    rules = [Rule(*(f"results/runs/{{run}}/{number}.csv" for number in range(50))) for _ in range(3)]
    compared = []
    for file in (file for rule in rules for file in rule.files):
        file.match = lambda target, file=file, match=file.match: compared.append(file) or match(target)
    assert planning._match_producers(OutputIndex.match_producers)(OutputIndex(rules), "results/runs/a/7.csv") == {
        *rules
    }
    assert len(compared) == 3


def test_a_mistake_in_a_pattern_is_said_by_snakemake():
    index = OutputIndex([Rule("results/{run,(}")])
    said = []
    for find in (OutputIndex.match_producers, planning._match_producers(OutputIndex.match_producers)):
        with pytest.raises(Exception, match="unterminated") as error:
            find(index, "results/a")
        said.append(error.type)
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("outputs", "asks"),
    [
        (["results/a/b.csv", "results/a-b", "results/a.b/c"], False),
        (["results/a", "results/a-b", "results/a/b/c.csv"], True),
        (["results/a", "./results/a/b"], True),
        (["results/a", "results//a/b"], True),
        (["results/a", "/elsewhere/b"], True),
    ],
)
def test_an_output_within_another_is_told_by_snakemake(outputs, asks):
    jobs = [SimpleNamespace(output=[IOFile(file)]) for file in outputs]
    dag, asked = SimpleNamespace(jobs=jobs), []
    planning._check_directory_outputs(asked.append)(dag)
    assert asked == [dag] * asks


def test_what_is_told_is_what_snakemake_tells():
    class Job(SimpleNamespace):
        __hash__ = object.__hash__

    job, other = Job(output=[IOFile("a")]), Job(output=[IOFile("a/b")])
    with pytest.raises(ChildIOException):
        planning._check_directory_outputs(DAG.check_directory_outputs)(SimpleNamespace(jobs=[job, other]))


def test_flags_are_the_same():
    plain = IOFile("a.csv")
    marked = IOFile(flag("b", "directory"))
    off = IOFile(flag("c", "directory", False))
    function = flag(lambda wildcards: "d", "update")
    ask = planning._is_flagged(is_flagged)
    for value in ("a", plain, marked, off, AnnotatedString("e"), function, IOFile(function), None, len):
        for name in ("directory", "update", "temp"):
            assert ask(value, name) is is_flagged(value, name), (value, name)


def test_only_of_an_unusual_name_something_may_be_said():
    asked = []
    say = planning._check(lambda iofile, rule, is_storage: asked.append(iofile))
    usual = ["results/runs/a_b-1.0+x/s0/config.json", "all.csv", "results/w=1/a", "\u00e4/b"]
    unusual = ["", "./a", " a", "a ", "a\n", "a//b", "a{b c}", "/a", "a/", "a\nb/c"]
    for name in usual + unusual:
        say(name)
    assert asked == unusual


def test_where_a_script_is_copied_to_is_asked_once():
    asked = []
    place = planning._get_cache_path(lambda file: asked.append(file.get_path_or_uri(secret_free=True)) or f"{file}!")
    a, b = LocalSourceFile("a.py"), LocalSourceFile("b.py")
    assert [place(a), place(LocalSourceFile("a.py")), place(b)] == [f"{a}!", f"{a}!", f"{b}!"]
    assert asked == ["a.py", "b.py"]
