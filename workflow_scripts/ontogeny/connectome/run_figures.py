"""What the pipeline draws of connectome studies: figures of a run, conditions side by side, searches."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ontogeny.connectome.diagnose import diagnose_scatter
from ontogeny.connectome.figures import (
    plot_activity,
    plot_connectivity,
    plot_embedding,
    plot_functions,
    plot_loss,
    plot_rollout,
    plot_scatter,
    plot_scatter_through_training,
    plot_weights,
)
from ontogeny.connectome.search.records import Record, record_path
from ontogeny.connectome.search.run import WEIGHTS_FORMAT
from ontogeny.connectome.search_figures import plot_comparison
from ontogeny.connectome.simulate import Activity
from ontogeny.connectome.store import StoredFit, read_arrays
from ontogeny.connectome.wiring import connectivity_r2
from ontogeny.errors import OntogenyError
from ontogeny.files import atomic
from ontogeny.plotting.style import COLOURS, INK, MUTED, figure, save_figure
from ontogeny.plotting.video import write_mp4

_MOST_POINTS = 20_000


def figures_of_run(fit: StoredFit, activity: Activity, targets: Mapping[str, str | os.PathLike], title: str) -> None:
    """Draw every figure of a run: `targets` maps activity, weights, scatter, training, embedding, functions and
    rollout to files.

    Of recorded activity without a known W, "scatter" shows the learned weights and "training" the loss.
    """
    known = activity.W is not None
    draw = {
        "activity": lambda: plot_activity(activity),
        "weights": lambda: plot_connectivity(fit.W, activity.weights if known else None),
        "scatter": lambda: plot_scatter(fit.W, activity.weights) if known else plot_weights(fit),
        "training": lambda: (
            plot_scatter_through_training(in_the_gauge(fit), activity.weights) if known else plot_loss(fit)
        ),
        "embedding": lambda: plot_embedding(fit, activity),
        "functions": lambda: plot_functions(fit, activity),
        "rollout": lambda: plot_rollout(fit, activity),
    }
    for name, path in targets.items():
        drawn, table = draw[name]()
        drawn.set_figheight(drawn.get_figheight() + 0.3)
        drawn.suptitle(_titled(title, fit), x=0.01, ha="left", fontsize=8, weight="normal", color=MUTED)
        save_figure(drawn, path, table)


def _titled(title: str, fit: StoredFit) -> str:
    verdict = fit.verdict.get("verdict")
    return title if verdict is None else f"{title}; wiring: {verdict}"


def in_the_gauge(fit: StoredFit) -> dict[str, np.ndarray]:
    """The snapshots of a fit with W in the gauge of its result: psi rises and has root mean square 1 in the end."""
    last = fit.snapshots["W"][-1].astype(np.float64)
    size = float((last**2).sum())
    return {**fit.snapshots, "W": fit.snapshots["W"] * (float((fit.network_W * last).sum()) / size if size else 1.0)}


def animate_conditions(
    fits: Sequence[StoredFit],
    truths: Sequence[np.ndarray],
    labels: Sequence[str],
    paths: Sequence[str | os.PathLike],
    fps: float = 4.0,
) -> None:
    """Animate the scatter of learned against true weights of several fits, side by side, over their training.

    Every fit shows its nearest snapshot at each share of its training; the last frame, held, shows what came out in
    the end, after the refinement where there was one. `paths` end in .mp4 or .gif.

    Raises OntogenyError if a fit kept no snapshots.
    """
    for fit in fits:
        if len(fit.snapshots.get("step", ())) < 2:
            raise OntogenyError("a fit kept no snapshots of W: set n_snapshots to 2 or more")
    images = list(_frames(fits, truths, labels))
    for path in map(Path, paths):
        with atomic(path) as part:
            if path.suffix == ".gif":
                _write_gif(part, images, fps)
            else:
                height, width = images[0].shape[:2]
                write_mp4(part, images, (width, height), fps, extra=round(2 * fps))


def _frames(fits: Sequence[StoredFit], truths: Sequence[np.ndarray], labels: Sequence[str]) -> Iterator[np.ndarray]:
    columns = min(len(fits), 3)
    rows = math.ceil(len(fits) / columns)
    fig, panels = figure(rows, columns, width=2.9 * columns, height=3.1 * rows, squeeze=False)
    fig.set_dpi(100)
    scenes = [_Scene(ax, *of) for ax, of in zip(panels.flat, zip(fits, truths, labels))]
    for ax in panels.flat[len(fits) :]:
        ax.set_axis_off()
    frames = max(len(fit.snapshots["step"]) for fit in fits)
    for k in range(1, frames + 1):
        for scene in scenes:
            scene.show(None if k == frames else k / (frames - 1))
        yield _picture(fig)
    plt.close(fig)


class _Scene:
    def __init__(self, ax: Axes, fit: StoredFit, true: np.ndarray, label: str) -> None:
        self.fit, self.true, self.ax, self.label = fit, true, ax, label
        off = np.flatnonzero(~np.eye(len(true), dtype=bool).ravel())
        self.chosen = off[:: max(1, math.ceil(len(off) / _MOST_POINTS))]
        x = true.ravel()[self.chosen]
        limit = 1.05 * float(np.abs(true).max() or 1.0)
        self.slope = connectivity_r2(fit.W, true)["slope"] or 1.0
        self.points = ax.scatter(x, np.zeros_like(x), s=3, color=COLOURS[0], alpha=0.35, lw=0)
        ax.plot([-limit, limit], [-limit, limit], color=INK, lw=0.8, ls=(0, (4, 3)))
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit), xlabel="true weight", ylabel="learned weight")

    def show(self, share: float | None) -> None:
        steps = self.fit.snapshots["step"]
        if share is None:
            W, when = self.fit.W, "refined" if self.fit.refined else f"step {int(steps[-1])}, end"
        else:
            k = round(share * (len(steps) - 1))
            W, when = self.fit.snapshots["W"][k], f"step {int(steps[k])}"
        found = connectivity_r2(W, self.true)
        scale = found["slope"] if found["connectivity_R2"] > 0.05 and found["slope"] else self.slope
        self.points.set_offsets(np.stack([self.true.ravel()[self.chosen], W.ravel()[self.chosen] / scale], 1))
        reading = diagnose_scatter(W, self.true)["diagnosis"]
        self.ax.set_title(f"{self.label}\n{when}\nR² = {found['connectivity_R2']:z.3f}, {reading}", fontsize=8)


def _picture(fig: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    image = np.asarray(canvas.buffer_rgba())[..., :3]
    height, width = (size - size % 2 for size in image.shape[:2])
    return np.ascontiguousarray(image[:height, :width])


def _write_gif(path: Path, images: Sequence[np.ndarray], fps: float) -> None:
    from PIL import Image

    palette = Image.fromarray(images[-1]).quantize(colors=128, method=Image.Quantize.MEDIANCUT)
    frames = [Image.fromarray(image).quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    times = [round(1000 / fps)] * (len(frames) - 1) + [2000]
    frames[0].save(path, format="GIF", save_all=True, append_images=frames[1:], duration=times, loop=0, optimize=False)


def draw_comparisons(records: Sequence[Record], folder: str | os.PathLike) -> list[Path]:
    """Draw `comparison_{epoch}_{iteration}.png`, learned against true W, of the best node of every block in `folder`.

    `epoch` is 1 and `iteration` the last optimisation step; every node has a folder of its own.
    """
    folder, made = Path(folder), []
    for block in sorted({record.block for record in records}):
        best = max((r for r in records if r.block == block), key=lambda record: (record.score, -record.node))
        path = record_path(folder, block, best.iteration).with_suffix(".safetensors")
        arrays, about = read_arrays(path, WEIGHTS_FORMAT)
        target = folder / "comparisons" / f"node_{best.node:03d}"
        text = f"scaled to slope 1; before:\n{about['scatter'].removeprefix('Scatter: ')}"
        made.append(plot_comparison(arrays["true"], arrays["learned"], target, 1, about["steps"], text))
    return made


__all__ = ["animate_conditions", "draw_comparisons", "figures_of_run"]
