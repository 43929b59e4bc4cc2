# Ontogeny: how mechanisms form inside a network while it trains.
#
#   snakemake --cores 2                 everything in config.yaml
#   snakemake --cores 2 jumps figures   only some stages (see the targets at the end)
#   snakemake --configfile FILE ...     another configuration instead of config.yaml

import gc
import os
import re
import sys
import traceback

from snakemake.utils import min_version

# Python looks for unused objects less often: a plan is very many objects, and nearly all of them are used.
gc.freeze()
gc.set_threshold(100_000, 1000, 1000)

min_version("9.27")

HERE = workflow.current_basedir.get_path_or_uri(secret_free=False)  # also where another workflow uses this as a module
sys.path.insert(0, os.path.join(HERE, "workflow_scripts"))

try:
    from ontogeny.pipeline.calls import note_call
    from ontogeny.pipeline.digests import tidy_memory
    from ontogeny.pipeline.entry import (
        as_reported,
        check_allowed,
        check_writable,
        default_config,
        fail,
        name_targets,
        tell_summary,
        use_package,
    )
    from ontogeny.pipeline.forking import fork_jobs, log_failed_imports, stop_when_told
    from ontogeny.pipeline.planning import plan_faster
    from ontogeny.pipeline.workflow import RUN_NAME, Workflow
except Exception as error:
    calls = [call for call in traceback.extract_tb(error.__traceback__) if call.filename.startswith(HERE)]
    place = error if isinstance(error, SyntaxError) else calls[-1]
    raise SystemExit(f"Error: {place.filename}, line {place.lineno}, cannot be imported: {error}")

use_package(HERE)
plan_faster()

if not workflow.overwrite_configfiles:

    configfile: default_config(HERE)


try:
    plan = Workflow(as_reported(config, sys.argv), workflow.configfiles, HERE)
except Exception as error:
    fail(error)


log_failed_imports(plan.scripts)
stop_when_told()

SUMMARY_PAGE = "results/tables/summary.rst"


# The first page of the report says what was found, once that has been made.
report: os.path.abspath(SUMMARY_PAGE) if os.path.exists(SUMMARY_PAGE) else "rules/captions/workflow.rst"


if plan.config.container:

    container: plan.config.container


onstart:
    check_writable()
    plan.tell_left_out()
    book.note_force()
    note_call()
    tidy_memory()
    fork_jobs(workflow, plan.scripts)


onsuccess:
    tell_summary("results/SUMMARY.md")


include: "rules/common.smk"
include: "rules/train.smk"
include: "rules/jumps.smk"
include: "rules/examination.smk"
include: "rules/circuits.smk"
include: "rules/connectome.smk"
include: "rules/judge.smk"
include: "rules/studies.smk"
include: "rules/changes.smk"
include: "rules/complexity.smk"
include: "rules/figures.smk"
include: "rules/tables.smk"


book.complete()
book.stop_where_nothing_changed()
if workflow.main_snakefile == os.path.join(HERE, "Snakefile"):  # else others add rules
    check_allowed(sys.argv, workflow.rules)
    name_targets(workflow)


rule all:
    default_target: True
    input:
        rules.phase1.input,
        rules.jumps.input,
        rules.activations.input,
        rules.geometry.input,
        rules.neurons.input,
        rules.features.input,
        rules.interventions.input,
        rules.circuits.input,
        rules.connectome.input,
        rules.judge.input,
        rules.figures.input,
        rules.pages.input,
        rules.tables.input,
