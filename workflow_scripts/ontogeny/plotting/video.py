"""Frames as a film that plays everywhere."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import numpy as np


def write_mp4(
    path: str | os.PathLike,
    images: Iterable[np.ndarray],
    size: tuple[int, int],
    fps: float,
    extra: int,
    tune: Sequence[str] = (),
) -> None:
    """Write RGB frames (height, width, 3), uint8, as H.264; the last one is shown `extra` frames longer.

    `size` is (width, height), both even; `fps` is frames a second; `tune` are further options of the encoder. No
    time and no version is written, so the same frames give the same bytes on the same machine.
    """
    import imageio_ffmpeg

    writer = imageio_ffmpeg.write_frames(
        os.fspath(path),
        size,
        fps=fps,
        codec="libx264",
        macro_block_size=2,
        quality=None,
        ffmpeg_log_level="error",
        output_params=[
            "-crf", "23", "-preset", "veryfast", *tune, "-threads", "1", "-movflags", "+faststart",
            "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-f", "mp4",
        ],
    )  # fmt: skip
    writer.send(None)
    try:
        image = None
        for image in images:
            writer.send(image)
        for _ in range(extra):
            writer.send(image)
    finally:
        writer.close()
