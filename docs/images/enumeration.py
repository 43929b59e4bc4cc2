"""Draws enumeration.png: `python docs/images/enumeration.py`, in this repository."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Circle, Rectangle

DARK, LIGHT, BLUE, ORANGE, GREY = "#1b4332", "#99d19c", "#0072b2", "#d55e00", "#bbbbbb"
rng = np.random.default_rng(4)


def walk(ax):
    ax.set_title("1  walk the upper layers")
    places = [(0.1, [0.35, 0.65]), (0.4, [0.2, 0.4, 0.6, 0.8]), (0.68, [0.2, 0.4, 0.6, 0.8]), (0.93, [0.5])]
    chosen = {(1, 0): [0], (1, 1): [0], (1, 3): [0, 1]}
    for layer in (1, 2, 3):
        x, ys = places[layer]
        before, froms = places[layer - 1]
        for k, y in enumerate(ys):
            for i, other in enumerate(froms):
                on = i in chosen.get((layer, k), [])
                ax.plot([before, x], [other, y], color=DARK if on else "#e3e3e3", lw=2.4 if on else 1, zorder=1)
    for layer, (x, ys) in enumerate(places):
        for k, y in enumerate(ys):
            face = (GREY if k == 2 else LIGHT) if layer == 1 else "white"
            ax.add_patch(Circle((x, y), 0.052, fc=face, ec=DARK, lw=1.3, zorder=2))
    ax.text(0.4, 0.03, "one input set\neach; empty: off", ha="center", va="center", color=DARK)
    ax.text(0.8, 0.03, "bounds: can any\ncircuit be left?", ha="center", va="center", color=ORANGE)


def halves(ax):
    ax.set_title("2  split the last hidden layer")
    tree = [((0.3, 0.88), (0.12, 0.62), 0), ((0.3, 0.88), (0.3, 0.62), 0), ((0.3, 0.88), (0.46, 0.62), 1)]
    tree += [((0.46, 0.62), (0.36, 0.36), 0), ((0.46, 0.62), (0.46, 0.36), 1), ((0.46, 0.62), (0.56, 0.36), 1)]
    for (x0, y0), (x1, y1), kept in tree:
        ax.plot([x0, x1], [y0, y1], color=BLUE if kept else GREY, lw=1.6)
        end = y1 < 0.5 or not kept
        if end:
            ax.plot(x1, y1, "o" if kept else "x", color=BLUE if kept else ORANGE, ms=6)
    for k, y in enumerate(np.linspace(0.14, 0.88, 38)):
        inside = 14 <= k <= 20
        ax.add_patch(Rectangle((0.76, y), 0.2, 0.012, fc=DARK if inside else "#d0d0d0"))
    ax.annotate("", (0.75, 0.48), (0.575, 0.36), arrowprops={"arrowstyle": "->", "color": "#555555"})
    ax.text(0.3, 0.96, "left half, depth first", ha="center", va="center", color=BLUE)
    ax.text(0.86, 0.96, "right half, all sums", ha="center", va="center", color=DARK)
    ax.text(
        0.5, 0.03, "the right halves that complete a left half\nlie in a window", ha="center", va="center", color=DARK
    )


def ranks(ax):
    ax.set_title("3  count right halves by ranks")
    rows = rng.random((3, 24)) < 0.45
    rows[:, [5, 11, 18]] = True
    for r, bits in enumerate([*rows, rows.all(axis=0)]):
        y = 0.76 - 0.17 * r - (0.05 if r == 3 else 0)
        ax.text(
            0.14,
            y + 0.045,
            f"row {r + 1}" if r < 3 else "AND",
            ha="right",
            va="center",
            weight=None if r < 3 else "bold",
        )
        for k, bit in enumerate(bits):
            colour = (DARK if r < 3 else ORANGE) if bit else "#ececec"
            ax.add_patch(Rectangle((0.17 + k * 0.034, y), 0.031, 0.09, fc=colour))
    number = int(rows.all(axis=0).sum())
    ax.text(0.56, 0.94, "right halves within each row's limits, as bits", ha="center", va="center", color=DARK)
    ax.text(0.56, 0.05, f"{number} complete this left half on every row", ha="center", va="center", color=ORANGE)


def boxes(ax):
    ax.set_title("4  begin with boxes of many choices")
    ax.add_patch(Rectangle((0.3, 0.25), 0.5, 0.46, fc="#eef7ee", ec=DARK, lw=1.5, ls="--"))
    ax.text(0.55, 0.67, "right on both rows", ha="center", color=DARK)
    kinds = [
        ((0.38, 0.34), (0.15, 0.12), DARK),
        ((0.04, 0.74), (0.15, 0.12), GREY),
        ((0.64, 0.46), (0.3, 0.16), ORANGE),
    ]
    for (x, y), (w, h), colour in kinds:
        ax.add_patch(Rectangle((x, y), w, h, fc=colour, ec=colour, alpha=0.22, lw=0))
        ax.add_patch(Rectangle((x, y), w, h, fc="none", ec=colour, lw=1.6))
        points = np.array([x, y]) + np.array([w, h]) * (0.08 + 0.84 * rng.random((14, 2)))
        ax.plot(*points.T, ".", color=colour, ms=4)
    ax.plot([0.79, 0.79], [0.46, 0.62], color=ORANGE, lw=1.2, ls=":")
    ax.text(0.455, 0.3, "all right", ha="center", color=DARK)
    ax.text(0.115, 0.69, "all wrong", ha="center", color="#777777")
    ax.text(0.9, 0.64, "divide", ha="center", color=ORANGE)
    ax.plot([0.02, 0.02, 0.98], [0.98, 0.14, 0.14], color="#555555", lw=1)
    ax.text(0.98, 0.09, "output on row 1", ha="right", va="center")
    ax.text(0.05, 0.95, "output on row 2", ha="left", va="center")
    ax.text(0.5, 0.02, "dots: single choices of the last two hidden layers", ha="center", va="center", color=DARK)


plt.rcParams.update({"font.size": 10, "axes.titleweight": "bold", "axes.titlesize": 12, "axes.titlelocation": "left"})
figure, axes = plt.subplots(1, 4, figsize=(17, 4.6))
for ax, draw in zip(axes, (walk, halves, ranks, boxes)):
    ax.set(xlim=(0, 1), ylim=(-0.03, 1))
    ax.axis("off")
    draw(ax)
figure.tight_layout(w_pad=2)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=90, facecolor="white", metadata={"Software": None})
