"""What follows for a rule from its name and its wildcards, so that rules state only what is theirs.

A rule that inherits from another (`use rule ... as ... with`) keeps the script of that one, so that Snakemake's own
inheritance cannot do this.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from snakemake.logging import logger

from ontogeny.pipeline.parts import FORCED
from ontogeny.pipeline.planning import remember_parameters
from ontogeny.pipeline.workflow import Workflow

UNTIMED = ("merge_benchmarks", "compare_results")
"""Rules without a benchmark: they read those of the others."""
DECIDING = ("plan_captures", "compare_circuits")
"""Rules whose output often comes out as it was when they are run again, which then stops the chain."""
CPU, GPU = "../envs/cpu.yaml", "../envs/gpu.yaml"


class Rulebook:
    """The rules of the pipeline: Snakemake's `workflow` and `rules`, and the plan. Names are those in rules/."""

    def __init__(self, workflow: Any, rules: Any, plan: Workflow) -> None:
        self.workflow, self.rules, self.plan, self.told = workflow, rules, plan, False

    def complete(self) -> None:
        """Give all rules with a script their log, benchmark, environment and code digest, where they state none.

        The record of provenance is a second log: it is kept, and stored where results are, without being a result.
        Rules that Snakemake may take from its cache have no benchmark where it is asked to (`--cache`).
        """
        for name, proxy in self.rules._rules.items():
            made = proxy.rule
            if made.script is None:
                continue
            first: Any = made.output[0] if made.output else ""  # where a configuration has nothing for the rule
            names = first.get_wildcard_names() if made.output else ()
            wildcards = sorted(names, key=lambda wildcard: first.index(f"{{{wildcard}"))
            job = "/".join(f"{{{wildcard}}}" for wildcard in wildcards)
            if not made.log:
                made.log_modifier = made.output_modifier
                made.set_log(f"results/logs/{name}/{job}.log" if job else f"results/logs/{name}.log")
            made.set_log(record=f"results/provenance/{name}/{job or 'all'}.json")
            if made.cache.output and not self.workflow.enable_cache:
                made.cache = type(made.cache).from_rule(made, False)
            if made.benchmark is None and name not in UNTIMED and not made.cache.output:
                made.benchmark_modifier = made.output_modifier
                made.benchmark = f"results/benchmarks/{name}/{job or 'all'}.tsv"
            if made.conda_env is None:
                made.conda_env = self._environment if "gpu" in made.resources and self.plan.has_gpu() else CPU
            if "code" not in made.params.keys():  # noqa: SIM118
                made.set_params(code=self.plan.code(name))
            remember_parameters([*made.input, *made.params, *made.resources.values(), made.conda_env])

    def _environment(self, wildcards: Any) -> str:
        return GPU if self.plan.gpu(wildcards) else CPU

    def stop_where_nothing_changed(self) -> None:
        """Let Snakemake ask anew what is to be made once a deciding rule is done, where there are results already.

        These rules become checkpoints whose inputs are known beforehand all the same, so that a dry-run shows every
        job. Groups of a cluster are sent as a whole and are left as they are.
        """
        here = self.workflow.is_main_process and not self.workflow.group_settings.overwrite_groups
        if here and os.path.isdir("results/runs"):
            for name in DECIDING:
                self.rules._rules[name].rule.is_checkpoint = True

    def note_force(self) -> None:
        """Let jobs do all of their parts again where the user forces jobs. Known once Snakemake has its settings."""
        asked = self.workflow.dag_settings
        if asked.forceall or asked.forcerun or asked.forcetargets:
            os.environ[FORCED] = "yes"

    def decided(self, path: str) -> str:
        """`path`, of a deciding rule: once that is done, jobs expected only because of it have no reason any more.

        Reasons are a private matter of Snakemake. Where it keeps them otherwise, such jobs run, which costs time only.
        """
        dag = self.workflow.dag
        try:
            reasons = dag._reason.items() if dag is not None and dag._finished else ()
            waiting = [reason.updated_input_run for job, reason in reasons if job not in dag._running]
        except AttributeError as error:
            if not self.told:
                logger.warning(
                    "this version of Snakemake keeps its reasons elsewhere (%s): jobs that follow an unchanged result "
                    "run again, to the same files; Snakemake 9.27 passes them over", error,
                )  # fmt: skip
            self.told, waiting = True, []
        for upstream in waiting:
            upstream.clear()
        return path

    def memory(self) -> dict[str, int]:
        """The memory in MB that a first attempt at every rule asks for, but for expressions of the command line."""
        stated = {}
        for name, proxy in sorted(self.rules._rules.items()):
            need = proxy.rule.resources.get("mem_mb")
            if need and not isinstance(need.raw, str):
                with suppress(TypeError):  # an expression that Snakemake hands to the job of another executor
                    stated[name] = need.evaluate(None, attempt=1).value
        return stated
