"""Read everything in an HDF5 file once: the program that shows whether the library can finish reading it.

python touch_hdf5.py FILE MOST_VALUES
"""

import sys

import h5py


def main(path: str, most: int) -> None:
    """Read all attributes, and all data sets of up to `most` values that lie in the file itself."""

    def touch(_: str, item: h5py.Group | h5py.Dataset) -> None:
        list(item.attrs)
        if isinstance(item, h5py.Dataset) and not item.is_virtual and not item.external and (item.size or 0) <= most:
            item[()]

    with h5py.File(path, "r") as file:
        list(file.attrs.values())
        file.visititems(touch)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
