"""Settings of the analysis of a judge's mechanism."""

from __future__ import annotations

from pydantic import Field

from ontogeny.settings import Positive, Settings


class JudgeAnalysisSettings(Settings):
    """The mechanism of a judge, measured at every epoch, and its pages. Changing it never trains again."""

    visualization_interval: Positive = Field(
        1, description="Epochs between records and pages; the ends always have them."
    )
    run_advanced: bool = Field(True, description="Matched pairs, neurons and circuits too, the dearer part.")
    samples: Positive = Field(2, description="Validation prompts of each label that get pages of their own.")
    discovery: int = Field(256, ge=16, description="Training prompts on which probes are trained and neurons chosen.")
    held_out: int = Field(256, ge=16, description="Validation prompts on which everything is judged.")
    pairs: int = Field(
        40, ge=8, description="Matched pairs of validation prompts; half score edges, half judge circuits."
    )
    attributed: Positive = Field(12, description="Validation prompts over which attributions are averaged.")
    integration_steps: int = Field(32, ge=2, description="Points of Integrated Gradients.")
    edge_steps: Positive = Field(5, description="Points of the integrated gradients of edges.")
    permutations: int = Field(200, ge=19, description="Permutations of the labels, for neurons.")
    shuffles: Positive = Field(20, description="Probes trained on shuffled labels.")
    ablations: int = Field(10, ge=2, description="Random sets of neurons that ablation is compared with.")
    random_subgraphs: int = Field(5, ge=2, description="Random subgraphs of each size that circuits are compared with.")
    faithfulness: float = Field(0.85, gt=0, le=1, description="Share of the logit difference a circuit has to carry.")
    alpha: float = Field(0.01, gt=0, lt=0.5, description="Level of the tests, and false discovery rate of neurons.")
    seed: int = Field(0, ge=0, description="Seed of all choices and resampling.")


DEFAULTS = JudgeAnalysisSettings()
