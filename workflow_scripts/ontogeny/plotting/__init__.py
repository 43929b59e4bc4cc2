"""Figures, animations and pages, all in one style (`ontogeny.plotting.style`)."""

from ontogeny.plotting.style import COLOURS, colour_map, figure, save_figure, use_style

__all__ = ["COLOURS", "colour_map", "figure", "save_figure", "use_style"]
