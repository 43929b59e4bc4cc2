"""Settings of the analysis of a judge's mechanism."""

from __future__ import annotations

from pydantic import Field

from ontogeny.settings import Positive, Settings


class JudgeAnalysisSettings(Settings):
    """The mechanism of a judge, measured at every epoch, and its pages. Changing it never trains again."""

    visualization_interval: Positive = Field(
        default=1, description="Epochs between records and pages; the ends always have them."
    )
    run_advanced: bool = Field(default=True, description="Measure neurons and circuits too, the more expensive part.")
    samples: Positive = Field(default=2, description="Validation prompts of each label that get pages of their own.")
    discovery: int = Field(
        default=256,
        ge=16,
        description="Training prompts on which probes are trained and neurons chosen, half of each label.",
    )
    held_out: int = Field(
        default=256, ge=16, description="Validation prompts on which probes and neurons are judged, half of each label."
    )
    pairs: int = Field(
        default=40, ge=8, description="Matched pairs of validation prompts; half score edges, half judge circuits."
    )
    attributed: Positive = Field(default=12, description="Validation prompts over which attributions are averaged.")
    integration_steps: int = Field(
        default=8,
        ge=2,
        description="Points of Integrated Gradients on each piece of the way; pieces are halved until they add up.",
    )
    edge_steps: Positive = Field(default=5, description="Points of the integrated gradients of edges.")
    permutations: int = Field(default=200, ge=19, description="Permutations of the labels, for neurons.")
    shuffles: Positive = Field(default=20, description="Probes trained on shuffled labels.")
    candidates: int = Field(
        default=32, ge=4, description="Neurons that are ablated one by one, and as many drawn at random."
    )
    ablations: int = Field(
        default=99, ge=2, description="Random sets of neurons that ablation of those found is compared with."
    )
    baselines: int = Field(default=2, ge=2, multiple_of=2, description="Training prompts that attributions start from.")
    random_subgraphs: int = Field(
        default=5, ge=2, description="Random subgraphs of each size that circuits are compared with."
    )
    faithfulness: float = Field(
        default=0.85, gt=0, le=1, description="Share of the logit difference a circuit has to carry."
    )
    alpha: float = Field(
        default=0.01, gt=0, lt=0.5, description="Level of the tests, and false discovery rate of neurons."
    )
    seed: int = Field(default=0, ge=0, description="Seed of all choices and resampling.")


DEFAULTS = JudgeAnalysisSettings()
