import matplotlib.pyplot as plt
import pytest

from ontogeny.plotting.style import PlainTicks, figure, from_zero, log_axis, save_figure


def test_numbers_below_zero_have_a_minus_sign_in_words_too(tmp_path):
    fig, axes = figure()
    axes.set_title("R² = -0.563 (-.1 to -1e-05), network 3-5-1, 2026-11-30, p(x)-1")
    label = axes.text(0, 0, "-3–-1")
    save_figure(fig, tmp_path / "signs.png")
    assert axes.get_title("left") == "R² = −0.563 (−.1 to −1e-05), network 3-5-1, 2026-11-30, p(x)-1"
    assert label.get_text() == "−3–−1"


def test_ticks_of_one_axis_are_all_plain_numbers_or_all_powers(tmp_path):
    fig, axes = figure(1, 2)
    for side, low in zip(axes, (0.02, 2e-6)):
        side.plot([1, 2], [low, 1])
        log_axis(side)
    plain, powers = ([label.get_text() for label in side.get_yticklabels()] for side in axes)
    save_figure(fig, tmp_path / "ticks.png")
    assert {"0.02", "0.1", "0.5", "1"} <= set(plain)
    assert {"10⁻⁵", "10⁻⁴", "10⁻¹", "10⁰"} <= set(powers)


def test_ticks_on_both_sides_of_zero_have_signs():
    _, axes = figure()
    axes.plot([0, 1], [-1e6, 1e6])
    axes.set_yscale("symlog", linthresh=10)
    axes.set_yticks([-1e6, -20, 0, 1e6])
    axes.yaxis.set_major_formatter(PlainTicks())
    assert [label.get_text() for label in axes.get_yticklabels()] == ["−10⁶", "−2·10¹", "0", "10⁶"]


def test_no_word_is_cut_off_at_the_edge_of_a_figure(tmp_path):
    for name, label in (("short", "loss"), ("long", "events elsewhere (per 1,000 measurements), of every detector")):
        fig, axes = figure(1, 2, width=4, height=2)
        axes[1].set_xlabel(label)
        fig.text(3, 3, "far away")
        save_figure(fig, tmp_path / f"{name}.png", formats=("png",))
    fig, axes = figure(width=4, height=2, layout="none")
    fig.subplots_adjust(bottom=0.25)
    axes.set_xlabel("step")
    save_figure(fig, tmp_path / "by_hand.png", formats=("png",))
    assert plt.imread(tmp_path / "by_hand.png").shape[:2] == (400, 800)
    short, long = (plt.imread(tmp_path / f"{name}.png") for name in ("short", "long"))
    assert short.shape[:2] == (400, 800)
    assert long.shape[1] > 850
    assert (long[:, -2:, :3] == 1).all()


def test_marks_at_the_end_of_an_axis_from_zero_are_whole():
    _, axes = figure()
    axes.scatter([3.99, 4.37], [0, 1])
    from_zero(axes, "x")
    assert axes.get_xlim() == (0, pytest.approx(4.37 * 1.05))
