"""Settings of the estimate of the local learning coefficient."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ontogeny.settings import Positive, Settings

SCALE_STEPS = 7
"""Steps by which calibration finds the scale of the step size, before it walks."""


class ComplexitySettings(Settings):
    """How the local learning coefficient (LLC) is estimated: chains of Langevin steps around the weights."""

    sampler: Literal["sgld", "rmsprop"] = Field(
        "sgld", description="Langevin steps as they are, or preconditioned by the running size of the gradient."
    )
    corrected: bool = Field(
        True,
        description="Remove the bias of finite steps: where a step sees all samples it is accepted or refused "
        "(Metropolis), which makes the posterior exact; with batches, or over 100,000 parameters, the noise of each "
        "step is averaged with that of the step before. `false` gives SGLD as published.",
    )
    chains: Annotated[int, Field(ge=2)] = Field(10, description="Independent chains per network.")
    draws: Annotated[int, Field(ge=4)] = Field(200, description="Steps per chain whose losses are averaged.")
    burn_in: int = Field(100, ge=0, description="Steps per chain before those (burn-in).")
    step_size: Annotated[float, Field(gt=0)] | Literal["calibrated"] = Field(
        "calibrated",
        description="Step size of the chains; `calibrated` takes the largest at which `acceptance` of the steps would "
        "be accepted by a Metropolis test.",
    )
    acceptance: float = Field(0.9, gt=0.3, lt=1, description="Share of accepted steps at the calibrated step size.")
    localisation: float = Field(
        1.0, ge=0, description="Strength of the pull towards the weights; larger looks at a smaller neighbourhood."
    )
    n_beta: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Inverse temperature times the number of samples; n / log(n), if not given."
    )
    batch_size: Positive | None = Field(None, description="Samples per step, drawn for each chain; all, if not given.")
    parameters: list[str] | None = Field(
        None,
        min_length=1,
        description="Patterns (`fc1.*`) of the parameters that move, or rows or columns of them (`attn.weight[0:16]`, "
        "`out.weight[:,0:16]`), such as those of a head; the others stay, which gives the restricted LLC. All, if not "
        "given.",
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of the chains.")

    @model_validator(mode="after")
    def _consistent(self) -> ComplexitySettings:
        if self.localisation == 0 and self.n_beta is not None and self.n_beta < 1:
            raise ValueError("n_beta is below 1 and localisation 0, so nothing holds the chains; raise one of them")
        if self.sampler == "rmsprop" and self.burn_in < 20:
            raise ValueError(f"rmsprop adapts during the burn-in, and burn_in is {self.burn_in}; give it 20 or more")
        return self


class ComplexityAnalysisSettings(ComplexitySettings):
    """The local learning coefficient along a trajectory (target `complexity`)."""

    localisation: float = Field(
        100.0,
        ge=0,
        description="Strength of the pull towards the weights; strong, since weights in training are at no minimum.",
    )
    localisations: list[Annotated[float, Field(ge=0)]] = Field(
        default_factory=list,
        description="Further strengths of the pull, for all parameters of runs and judges, drawn beside: what holds at "
        "all of them does not depend on the choice.",
    )
    frames: Annotated[int, Field(ge=2, le=1000)] = Field(
        10, description="Evenly spaced steps or epochs at which it is estimated, the ends among them."
    )
    strongest: int = Field(2, ge=0, description="Jumps of a run, strongest first, at which it is also estimated.")
    by_layer: bool = Field(
        False, description="Estimate it for the parameters of each layer alone, too (runs and judges)."
    )
    by_head: bool = Field(
        False, description="Estimate it for the parameters of each attention head alone, too (runs and judges)."
    )
