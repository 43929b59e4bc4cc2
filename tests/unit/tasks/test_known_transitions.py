"""Tasks whose transitions are known are what they say."""

import numpy as np

from ontogeny.tasks import load_images


def test_modular_addition_holds_every_pair_once():
    data = load_images("modular_addition")
    a, b = data.x[:, 0, 0].argmax(axis=1), data.x[:, 0, 1].argmax(axis=1)
    assert len({*zip(a.tolist(), b.tolist())}) == len(data) == 23 * 23
    np.testing.assert_array_equal(data.y, (a + b) % 23)


def test_sparse_parity_depends_on_three_bits_alone():
    data = load_images("sparse_parity")
    bits = data.x[:, 0, 0]
    np.testing.assert_array_equal(data.y, bits[:, :3].sum(axis=1) % 2)
    for column in range(24):
        assert abs(np.corrcoef(bits[:, column], data.y)[0, 1]) < 0.05
