"""Jumps: abrupt, lasting changes in a series of measurements, each a claim with a known false-alarm rate."""

from ontogeny.jumps.detectors import DETECTORS, Detector, detect_jumps, z_score_flags
from ontogeny.jumps.events import NOISE_FLOOR, Detection, Jump

__all__ = ["DETECTORS", "NOISE_FLOOR", "Detection", "Detector", "Jump", "detect_jumps", "z_score_flags"]
