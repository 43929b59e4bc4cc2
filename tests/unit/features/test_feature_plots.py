import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ontogeny.errors import OntogenyError
from ontogeny.plotting.features import (
    plot_agreement,
    plot_attention,
    plot_attributions,
    plot_filter_evolution,
    plot_filters,
    plot_heads,
    plot_importance,
    plot_top_inputs,
)
from ontogeny.plotting.style import save_figure

RNG = np.random.default_rng(0)


def saved(fig, path):
    files = save_figure(fig, path / "figure", formats=["png"])
    assert all(file.stat().st_size > 1000 for file in files)


def test_plotting_needs_no_pytorch():
    code = "import sys, ontogeny.plotting.features, ontogeny.interventions.figures; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_attribution_grid(tmp_path):
    inputs = RNG.normal(size=(5, 3, 6, 6))
    maps = {"saliency": np.abs(inputs), "grad_cam": np.zeros((5, 1, 6, 6)), "integrated_gradients": inputs}
    fig = plot_attributions(inputs, maps, labels=list("abcde"), limit=4)
    assert len(fig.axes) == 16
    signed = fig.axes[12].images[0]
    assert signed.norm.vmin == -signed.norm.vmax
    saved(fig, tmp_path)
    with pytest.raises(OntogenyError, match="images"):
        plot_attributions(inputs[:, 0], maps)
    with pytest.raises(OntogenyError, match="one map an input"):
        plot_attributions(inputs, {"saliency": inputs[:2]})


def test_attention_and_heads(tmp_path):
    maps = {"a": RNG.dirichlet(np.ones(4), size=(3, 2, 4)), "b": RNG.dirichlet(np.ones(4), size=(3, 1, 4))}
    fig = plot_attention(maps, sample=1)
    assert {image.norm.vmin for axes in fig.axes[:4] for image in axes.images} == {0}
    saved(fig, tmp_path)
    rows = [
        {"moment": m, "layer": layer, "head": h, **{
            f"{q}{end}": 0.5 for q in ("relative_entropy", "specialisation") for end in ("", "_low", "_high")}}
        for m in ("early", "late") for layer in "ab" for h in range(2)
    ]  # fmt: skip
    saved(plot_heads(pd.DataFrame(rows)), tmp_path)
    fig = plot_heads(pd.DataFrame(rows), steps={"early": 10, "late": 300}, jumps=[50])
    assert fig.axes[0].lines[0].get_xdata().tolist() == [10, 300]
    saved(fig, tmp_path)


@pytest.mark.parametrize("shape", [(6, 1, 3, 3), (6, 3, 8, 8), (6, 1, 1, 8)])
def test_filters(tmp_path, shape):
    filters = {name: RNG.normal(size=shape) for name in ("start", "end")}
    fig = plot_filters(filters, limit=4)
    first, last = fig.axes[0].images[0], fig.axes[4].images[0]
    assert first.norm.vmax == last.norm.vmax, "one scale through training"
    saved(fig, tmp_path)


def test_evolution_top_inputs_and_agreement(tmp_path):
    rows = [{"moment": m, "filter": f, "norm": f + 1.0, "cosine_last": 0.5} for m in "abc" for f in range(4)]
    saved(plot_filter_evolution(pd.DataFrame(rows)), tmp_path)
    table = pd.DataFrame([{"unit": u, "rank": r, "index": r, "activation": 3.0 - r} for u in (0, 4) for r in range(3)])
    inputs = RNG.normal(size=(3, 1, 5, 5))
    fig = plot_top_inputs(inputs, table, [4, 0], preferred={0: inputs[0], 4: inputs[1]})
    assert len(fig.axes) == 8
    saved(fig, tmp_path)
    rows = [{"first": "a", "second": "b", "spearman": np.nan, "spearman_low": np.nan, "spearman_high": np.nan},
            {"first": "a", "second": "c", "spearman": 0.4, "spearman_low": 0.1, "spearman_high": 0.6}]  # fmt: skip
    saved(plot_agreement(pd.DataFrame(rows)), tmp_path)


@pytest.mark.parametrize("scale", [0.0, 1e-9, 1e-2, 100.0])
def test_importance_prints_what_controls_find(tmp_path, scale):
    parts = []
    for control, size in (("none", 30), ("shuffled labels", 30), ("untrained", 60)):
        change = scale * RNG.normal(size=size)
        parts.append(pd.DataFrame({"control": control, "unit": range(size), "loss_change": change,
                                   "loss_low": change - scale, "loss_high": change + scale, "control_high": scale,
                                   "stands_out": change > 2 * scale}))  # fmt: skip
    fig = plot_importance(pd.concat(parts))
    texts = [text.get_text() for text in fig.axes[1].texts]
    assert sum("of 60 stand out" in text for text in texts) == 1
    saved(fig, tmp_path)
    assert not plt.get_fignums()
