from .calibration import Calibration, calibrate
from .closed_forms import deep_linear_coefficient, reduced_rank_coefficient, regular_coefficient
from .estimate import LLC, estimate_llc, estimate_llc_of_mlps
from .landscape import MLPLandscape, ModuleLandscape
from .settings import ComplexitySettings

__all__ = [
    "LLC",
    "Calibration",
    "ComplexitySettings",
    "MLPLandscape",
    "ModuleLandscape",
    "calibrate",
    "deep_linear_coefficient",
    "estimate_llc",
    "estimate_llc_of_mlps",
    "reduced_rank_coefficient",
    "regular_coefficient",
]
