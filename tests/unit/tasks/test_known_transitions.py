"""Tasks whose transitions are known are what they say."""

import numpy as np

from ontogeny.tasks import load_images
from ontogeny.tasks.known import repeated_sequences


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


def test_repeated_sequences_are_learned_where_no_position_says_what_comes_next():
    tokens = repeated_sequences(400, 24, 0, 0, varied=True)
    assert tokens.shape == (400, 32)
    back = [(tokens[:, distance:] == tokens[:, :-distance]).all(axis=1).mean() for distance in range(1, 32)]
    assert sum(back[:7]) == 0
    assert min(back[7:24]) > 0.02
    assert max(np.mean(tokens[:, 25:] == tokens[:, 25 - d : 32 - d]) for d in range(1, 26)) < 0.25
    np.testing.assert_array_equal(*np.split(repeated_sequences(4, 24, 0, 0), 2, axis=1))
