"""Frames as an animation that plays everywhere."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress

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

    `size` is (width, height), both even; `fps` is frames per second; `tune` are further options of the encoder. No
    time and no version is written, so the same frames give the same bytes on the same machine. Raises OSError with
    what the encoder says if it does not come to its end.
    """
    from imageio_ffmpeg import get_ffmpeg_exe

    command = [
        get_ffmpeg_exe(), "-y", "-f", "rawvideo", "-vcodec", "rawvideo", "-s", f"{size[0]}x{size[1]}",
        "-pix_fmt", "rgb24", "-r", f"{fps:g}", "-i", "-", "-an", "-vcodec", "libx264", "-pix_fmt", "yuv420p",
        "-v", "error", "-crf", "23", "-preset", "veryfast", *tune, "-threads", "1", "-movflags", "+faststart",
        "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-f", "mp4", os.fspath(path),
    ]  # fmt: skip
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said) as encoder:
            pipe = encoder.stdin
            assert pipe is not None
            with suppress(BrokenPipeError):
                image = None
                for image in images:
                    pipe.write(np.ascontiguousarray(image).tobytes())
                for _ in range(extra):
                    pipe.write(np.ascontiguousarray(image).tobytes())
            with suppress(BrokenPipeError):
                pipe.close()
        if encoder.returncode:
            said.seek(0)
            text = " ".join(said.read().decode(errors="replace").split())[-300:]
            full = "No space left" in text
            raise OSError(errno.ENOSPC if full else errno.EIO, f"ffmpeg ended with {encoder.returncode}: {text}")
