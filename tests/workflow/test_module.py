"""The pipeline as a module of somebody else's workflow (Snakemake's `module` directive)."""

import shutil

import pytest

from .warm import snakemake

OUTER = """
configfile: "study.yaml"


module ontogeny:
    snakefile:
        "{snakefile}"
    config:
        config
    {prefix}


use rule * from ontogeny as ontogeny_*


rule everything:
    default_target: True
    input:
        rules.ontogeny_all.input,
"""


@pytest.mark.parametrize("prefix", ["", 'prefix: "part"'], ids=["plain", "prefix"])
def test_another_workflow_plans_it_from_an_empty_folder(project, tmp_path, prefix):
    (tmp_path / "Snakefile").write_text(OUTER.format(snakefile=project / "Snakefile", prefix=prefix))
    shutil.copy(project / "tests" / "configs" / "smoke.yaml", tmp_path / "study.yaml")
    status, said, _ = snakemake("-n", "--cores", "1", folder=tmp_path)
    assert status == 0, said
    folder = "part/results" if prefix else "results"
    assert f"log: {folder}/logs/train_run/smoke_vit/s0.log" in said
    assert not (tmp_path / "results").exists()
