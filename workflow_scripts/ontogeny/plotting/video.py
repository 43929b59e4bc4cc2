"""Frames as an animation that plays everywhere."""

from __future__ import annotations

import errno
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache

import numpy as np
from PIL import Image

TIMES = (b"mvhd", b"tkhd", b"mdhd")
"""Boxes of an MP4 file that begin with the times of creation and change."""


def write_mp4(
    path: str | os.PathLike,
    images: Iterable[np.ndarray],
    size: tuple[int, int],
    fps: float,
    extra: int,
    tune: Sequence[str] = (),
) -> None:
    """Write RGB frames (height, width, 3), uint8, as an MP4; the last one is shown `extra` frames longer.

    `size` is (width, height), both even; `fps` is frames per second; `tune` are further options of ffmpeg. The video is
    H.264 where ffmpeg is found, with `pip install 'ontogeny[video]'` or on the path, and AV1 by Pillow elsewhere, which
    browsers and most players know, too. No time and no version is written, so the same frames give the same bytes on
    the same machine. Raises OSError with what the encoder says if it does not come to its end.
    """
    ffmpeg = find_ffmpeg()
    if ffmpeg is None:
        _write_av1(path, images, fps, extra)
    else:
        _write_h264(ffmpeg, path, images, size, fps, extra, tune)


@cache
def find_ffmpeg() -> str | None:
    """An ffmpeg that writes H.264: the one of imageio-ffmpeg, or else the one on the path; None without."""
    with suppress(ImportError, RuntimeError):
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    found = shutil.which("ffmpeg")
    if found is not None:
        said = subprocess.run([found, "-hide_banner", "-encoders"], capture_output=True, text=True, check=False)
        if "libx264" in said.stdout:
            return found
    return None


def _write_av1(path: str | os.PathLike, images: Iterable[np.ndarray], fps: float, extra: int) -> None:
    """An AVIF sequence, which is an MP4 but for the names of its parts, given those."""
    first, *others = (Image.fromarray(image) for image in images)
    lasting = [round(1000 / fps)] * (1 + len(others))
    lasting[-1] *= 1 + extra
    first.save(
        path, format="AVIF", save_all=True, append_images=others, duration=lasting, quality=75, speed=8, max_threads=1
    )
    with open(path, "r+b") as file:
        data = bytearray(file.read())
        for kind, start, end in _boxes(data, 0, len(data)):
            if kind == b"ftyp":
                data[start : start + 4] = b"isom"
                brands = (b"isom", b"iso6", b"av01", b"mp41")
                for number, place in enumerate(range(start + 8, end, 4)):
                    data[place : place + 4] = brands[min(number, len(brands) - 1)]
            elif kind == b"meta":
                data[start - 4 : start] = b"free"
            elif kind == b"hdlr":
                data[start + 8 : start + 12] = b"vide"
            elif kind in TIMES:
                long = 8 if data[start] == 1 else 4
                data[start + 4 : start + 4 + 2 * long] = bytes(2 * long)
        file.seek(0)
        file.write(data)


def _boxes(data: bytearray, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, and start and end of the content, of the boxes of an MP4 file and of those inside its tracks."""
    while start < end:
        size, kind = struct.unpack_from(">I4s", data, start)
        size = size or end - start
        yield kind, start + 8, start + size
        if kind in (b"moov", b"trak", b"mdia"):
            yield from _boxes(data, start + 8, start + size)
        start += size


def _write_h264(
    ffmpeg: str,
    path: str | os.PathLike,
    images: Iterable[np.ndarray],
    size: tuple[int, int],
    fps: float,
    extra: int,
    tune: Sequence[str],
) -> None:
    command = [
        ffmpeg, "-y", "-f", "rawvideo", "-vcodec", "rawvideo", "-s", f"{size[0]}x{size[1]}",
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
