from .style import COLOURS, colour_map, figure, save_figure, use_style

__all__ = ["COLOURS", "colour_map", "figure", "save_figure", "use_style"]
