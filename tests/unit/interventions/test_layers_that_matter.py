"""Which layers a figure says matter."""

import pandas as pd

from ontogeny.interventions.figures import plot_layers_ablated


def rows(layer, accuracy, loss):
    same = {"entry": 0, "intervention": "ablate", "moment": "start at 0", "kind": "start", "role": "at", "step": 0}
    same |= {"control": "none", "layer": layer, "setting": "mean", "samples": 64, "repeats": 1, "intact": 0.1}
    same |= {"value": 0.1, "low": 0.05, "high": 0.15}
    changes = {"accuracy": accuracy, "loss": loss}
    return [
        same | {"metric": metric, "change_low": low, "change_high": high} for metric, (low, high) in changes.items()
    ]


def test_a_layer_matters_where_accuracy_falls_and_the_loss_rises():
    table = pd.DataFrame(
        [
            *rows("needed", (-0.3, -0.1), (0.2, 0.6)),
            *rows("by chance", (-0.07, -0.01), (-0.03, 0.02)),
            *rows("idle", (-0.02, 0.02), (-0.1, 0.1)),
        ]
    )
    fig = plot_layers_ablated(table)
    legend = fig.axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["start at 0: 1 of 3 layers matter"]
