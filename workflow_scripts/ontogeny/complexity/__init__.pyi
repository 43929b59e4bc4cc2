from .calibration import Calibration, calibrate
from .closed_forms import deep_linear_coefficient, reduced_rank_coefficient, regular_coefficient
from .estimate import LLC, estimate_llc, estimate_llc_of_mlps
from .groups import head_groups, parameter_groups
from .landscape import MLPLandscape, ModuleLandscape
from .run import complexity_and_circuits, complexity_of_ensemble, complexity_of_run
from .settings import ComplexityAnalysisSettings, ComplexitySettings
from .stages import find_stages

__all__ = [
    "LLC",
    "Calibration",
    "ComplexityAnalysisSettings",
    "ComplexitySettings",
    "MLPLandscape",
    "ModuleLandscape",
    "calibrate",
    "complexity_and_circuits",
    "complexity_of_ensemble",
    "complexity_of_run",
    "deep_linear_coefficient",
    "estimate_llc",
    "estimate_llc_of_mlps",
    "find_stages",
    "head_groups",
    "parameter_groups",
    "reduced_rank_coefficient",
    "regular_coefficient",
]
