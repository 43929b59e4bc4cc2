"""Data sets from every door, splits, and the data order."""

import json
import subprocess
import sys
import urllib.error
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ontogeny.errors import OntogenyError
from ontogeny.tasks import IMAGE_SETS, ImageSet, epoch_order, load_images, split_images


@pytest.fixture(scope="module")
def digits():
    return load_images("digits")


def openml_like(x, y, calls=None):
    """A local function that is called, and answers, like fetch_openml(return_X_y=True, as_frame=False)."""

    def fetch(*, data_id, as_frame, return_X_y, parser, cache):
        assert as_frame is False
        assert return_X_y is True
        if calls is not None:
            calls.append(data_id)
        return x, y

    return fetch


def test_digits(digits):
    assert digits.x.shape == (1797, 1, 8, 8)
    assert digits.x.dtype == np.float32
    assert digits.y.dtype == np.int64
    assert digits.x.min() == 0
    assert digits.x.max() == 1
    assert digits.classes == 10
    assert len(digits.fingerprint) == 64
    assert load_images("digits").fingerprint == digits.fingerprint


def test_no_torch():
    code = "import sys, ontogeny.tasks as t; t.load_images('digits'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_fetch_and_cache(name, tmp_path):
    rng = np.random.default_rng(0)
    shape = IMAGE_SETS[name].shape
    pixels = rng.integers(0, 256, (40, int(np.prod(shape)))).astype(np.float64)
    labels = np.array([str(k % 10) for k in range(40)], dtype=object)
    calls = []
    fetch = openml_like(pixels, labels, calls)
    first = load_images(name, cache_dir=tmp_path, fetch=fetch)
    again = load_images(name, cache_dir=tmp_path, fetch=fetch)
    assert len(calls) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{name}.npz"]
    assert first.fingerprint == again.fingerprint
    assert first.source == again.source
    assert first.x.shape == (40, *shape)
    np.testing.assert_array_equal(first.x, (pixels.reshape(40, *shape) / 255).astype(np.float32))
    np.testing.assert_array_equal(first.y, np.arange(40) % 10)
    bytes_before = (tmp_path / f"{name}.npz").read_bytes()
    (tmp_path / f"{name}.npz").unlink()
    load_images(name, cache_dir=tmp_path, fetch=fetch)
    assert (tmp_path / f"{name}.npz").read_bytes() == bytes_before


def test_cache_of_fractions_is_exact(tmp_path):
    x = np.random.default_rng(0).random((20, 784))
    fetch = openml_like(x, np.arange(20) % 10)
    first = load_images("mnist", cache_dir=tmp_path, fetch=fetch)
    assert load_images("mnist", cache_dir=tmp_path, fetch=fetch).fingerprint == first.fingerprint


def test_damaged_cache_says_what_to_do(tmp_path):
    (tmp_path / "mnist.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(OntogenyError, match=r"mnist\.npz cannot be read as an \.npz.*delete it"):
        load_images("mnist", cache_dir=tmp_path)


@pytest.mark.parametrize(
    "error", [urllib.error.URLError("Name or service not known"), TimeoutError("timed out"), ValueError("no such id")]
)
def test_no_network_is_one_sentence(error, tmp_path):
    def fetch(**_):
        raise error

    with pytest.raises(OntogenyError) as caught:
        load_images("cifar10", cache_dir=tmp_path, fetch=fetch)
    message = str(caught.value)
    assert "cifar10 could not be fetched" in message
    assert "local .npz" in message
    assert "(n, 3, 32, 32)" in message
    assert not list(tmp_path.iterdir())


def test_unknown_name():
    with pytest.raises(OntogenyError, match="did you mean 'fashion_mnist'"):
        load_images("fashon_mnist")


LOCAL_FORMS = {
    "x, y": lambda x, y: {"x": x, "y": y},
    "upper case": lambda x, y: {"X": x, "Y": y},
    "bytes": lambda x, y: {"x": np.rint(x * 255).astype(np.uint8), "y": y},
    "channels last": lambda x, y: {"images": x.transpose(0, 2, 3, 1), "labels": y},
    "train and test": lambda x, y: {"x_train": x[:30], "y_train": y[:30, None], "x_test": x[30:], "y_test": y[30:]},
    "float labels": lambda x, y: {"data": x, "target": y.astype(np.float64)},
}


@pytest.mark.parametrize("form", LOCAL_FORMS)
def test_local_npz(form, tmp_path):
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, (50, 3, 6, 5)).astype(np.float32) / np.float32(255)
    y = np.arange(50) % 4
    path = tmp_path / "mine.npz"
    np.savez(path, **LOCAL_FORMS[form](x, y))
    data = load_images("mine", path=path)
    np.testing.assert_array_equal(data.x, x)
    np.testing.assert_array_equal(data.y, y)
    assert data.classes == 4
    assert data.source == "local file mine.npz"


def test_local_grey_and_flat(tmp_path):
    x = np.random.default_rng(0).random((20, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "grey.npz", x=x, y=np.arange(20) % 2)
    np.savez(tmp_path / "flat.npz", x=x.reshape(20, 64), y=np.arange(20) % 2)
    grey, flat = (load_images("mine", path=tmp_path / f"{name}.npz") for name in ("grey", "flat"))
    assert grey.x.shape == (20, 1, 8, 8)
    assert grey.fingerprint == flat.fingerprint


X, Y = np.zeros((6, 1, 8, 8), np.float32), np.array([0, 1, 2, 0, 1, 2])
NAN = X.copy()
NAN[3, 0, 2, 2] = np.nan
BAD_FILES = {
    "keys": ({"pixels": X, "y": Y}, "holds pixels, y: expected arrays x and y"),
    "nan": ({"x": NAN, "y": Y}, "image 3 contains NaN"),
    "range": ({"x": X - 1, "y": Y}, "pixels range from -1 to -1"),
    "beyond bytes": ({"x": X + 300, "y": Y}, "pixels range from 300 to 300"),
    "count": ({"x": X, "y": Y[:5]}, "6 images and 5 labels"),
    "one-hot": ({"x": X, "y": np.eye(6)}, r"labels have shape \(6, 6\)"),
    "fraction": ({"x": X, "y": Y + 0.5}, "label 0.5 of image 0"),
    "negative": ({"x": X, "y": Y - 1}, "label -1 of image 0"),
    "gap": ({"x": X, "y": Y * 2}, "no image has label 1"),
    "words": ({"x": X, "y": np.array(list("abcabc"))}, "is not a number"),
    "objects": ({"x": X, "y": np.array([None] * 6, dtype=object)}, "holds Python objects"),
    "text images": ({"x": np.full((6, 4), "a"), "y": Y}, "expected numbers"),
    "axes": ({"x": X[..., None, None], "y": Y}, "images have shape"),
    "not square": ({"x": np.zeros((6, 7)), "y": Y}, "an image has 7 pixels"),
    "empty": ({"x": X[:0], "y": Y[:0]}, "no images"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_local_file(case, tmp_path):
    arrays, message = BAD_FILES[case]
    path = tmp_path / "bad.npz"
    np.savez(path, **arrays)
    with pytest.raises(OntogenyError, match=message) as caught:
        load_images("mine", path=path)
    assert "bad.npz" in str(caught.value)


def test_other_bad_paths(tmp_path):
    with pytest.raises(OntogenyError, match="does not exist"):
        load_images("mine", path=tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("x,y")
    with pytest.raises(OntogenyError, match=r"cannot be read as an \.npz"):
        load_images("mine", path=tmp_path / "text.npz")
    np.save(tmp_path / "one.npy", X)
    with pytest.raises(OntogenyError, match="single array"):
        load_images("mine", path=tmp_path / "one.npy")
    np.savez(tmp_path / "small.npz", x=X, y=Y)
    with pytest.raises(OntogenyError, match="images are 1x8x8, but mnist is 1x28x28"):
        load_images("mnist", path=tmp_path / "small.npz")
    np.savez(tmp_path / "label.npz", x=np.zeros((2, 784)), y=np.array([0, 10]))
    with pytest.raises(OntogenyError, match="label 10 is beyond 9"):
        load_images("mnist", path=tmp_path / "label.npz")


def test_add_a_data_set(monkeypatch):
    def stripes(fetch):
        return np.tile(np.arange(4) % 2, (10, 1, 4, 1)).astype(np.float32), np.arange(10) % 2

    monkeypatch.setitem(IMAGE_SETS, "stripes", ImageSet(stripes, (1, 4, 4), 2, "made here", remote=False))
    assert load_images("stripes").x.shape == (10, 1, 4, 4)


def test_configuration_knows_the_same_names():
    models = pytest.importorskip("ontogeny.tasks.settings")
    assert set(get_args(models.ImageTask)) == set(IMAGE_SETS)


def test_splits(digits):
    splits = split_images(digits, None, 360, 256, seed=3)
    joined = np.concatenate([splits.train, splits.validation, splits.probe])
    assert len(joined) == len(np.unique(joined)) == len(digits)
    share = np.bincount(digits.y) / len(digits)
    for split in ("train", "validation", "probe"):
        counts = np.bincount(digits.y[splits.indices(split)], minlength=10)
        assert np.abs(counts - share * counts.sum()).max() < 1.5
    x, y = splits.arrays("train")
    assert x.dtype == np.float32
    assert x.shape == (1181, 1, 8, 8)
    assert abs(x.mean()) < 1e-5
    assert abs(x.std() - 1) < 1e-5
    np.testing.assert_array_equal(y, digits.y[splits.train])
    train = digits.x[splits.train].astype(np.float64)
    assert splits.mean == pytest.approx([train.mean()])
    assert splits.std == pytest.approx([train.std()])


def test_splits_record(digits):
    first, again, other = (split_images(digits, 500, 100, 50, seed) for seed in (1, 1, 2))
    assert json.loads(json.dumps(first.record())) == again.record()
    assert first.record()["sizes"] == {"train": 500, "validation": 100, "probe": 50}
    assert first.record()["indices"] != other.record()["indices"]


def test_probe_does_not_depend_on_other_sizes(digits):
    one, two = split_images(digits, 500, 100, 50, 1), split_images(digits, 700, 300, 50, 1)
    np.testing.assert_array_equal(one.probe, two.probe)


def test_not_standardised(digits):
    splits = split_images(digits, 100, 10, 10, 0, standardise=False)
    np.testing.assert_array_equal(splits.arrays("probe")[0], digits.x[splits.probe])
    assert splits.record()["mean"] == [0.0]


def test_constant_channel(tmp_path):
    x = np.random.default_rng(0).random((30, 2, 4, 4)).astype(np.float32)
    x[:, 1] = 0.5
    np.savez(tmp_path / "two.npz", x=x, y=np.arange(30) % 3)
    splits = split_images(load_images("two", path=tmp_path / "two.npz"), 15, 6, 6, 0)
    values, _ = splits.arrays("probe")
    assert np.isfinite(values).all()
    assert (values[:, 1] == 0).all()
    assert splits.std[1] == 0


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((1500, 360, 256), "1500 training .* = 2116 images requested, but digits has 1797"),
        ((None, 360, 2000), "2000 probe images.*1797"),
        ((10, 10, 0), "n_probe is 0"),
        ((0, 10, 10), "n_train is 0"),
        ((10, 1.5, 10), "n_validation is 1.5"),
        ((10, 10, True), "n_probe is True"),
    ],
)
def test_sizes_that_do_not_fit(digits, sizes, message):
    with pytest.raises(OntogenyError, match=message):
        split_images(digits, *sizes, seed=0)


def test_unknown_split(digits):
    with pytest.raises(OntogenyError, match="did you mean 'validation'"):
        split_images(digits, 10, 10, 10, 0).arrays("valid")


@settings(max_examples=25)
@given(st.integers(1, 300), st.integers(0, 2**31 - 1), st.integers(0, 10**6))
def test_epoch_order(n, seed, epoch):
    order = epoch_order(n, seed, epoch)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    np.testing.assert_array_equal(order, epoch_order(n, seed, epoch))


def test_epoch_orders_differ_and_leave_the_global_generator_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    orders = {tuple(epoch_order(50, seed, epoch)) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    with pytest.raises(OntogenyError, match="epoch is -1"):
        epoch_order(5, 0, -1)


def test_digits_are_those_that_scikit_learn_loads():
    from sklearn.datasets import load_digits

    data = load_images("digits")
    expected = load_digits()
    np.testing.assert_array_equal(data.x[:, 0], (expected.images / 16).astype(np.float32))
    np.testing.assert_array_equal(data.y, expected.target)
