"""Films are whole, the same every time, or an error that says what the encoder said."""

import imageio_ffmpeg
import numpy as np
import pytest

from ontogeny.plotting import video
from ontogeny.plotting.video import write_mp4

IMAGES = [np.full((32, 48, 3), shade, np.uint8) for shade in (0, 90, 180)]


def test_a_film_has_all_frames_and_the_same_bytes(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        write_mp4(tmp_path / name, IMAGES, (48, 32), 4, 5)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    assert imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "a.mp4")) == (8, pytest.approx(2.0))


def test_an_encoder_that_fails_is_told(tmp_path):
    with pytest.raises(OSError, match=r"ffmpeg ended with \d+: .*No such file or directory"):
        write_mp4(tmp_path / "absent" / "a.mp4", IMAGES * 50, (48, 32), 4, 5)


def test_without_ffmpeg_the_video_is_av1_with_the_same_pictures_and_times(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "find_ffmpeg", lambda: None)
    ramp = np.linspace(0, 255, 48)[None, :, None] * np.ones((32, 1, 3))
    frames = [np.roll(ramp, 8 * shift, axis=1).astype(np.uint8) for shift in range(4)]
    for name in ("a.mp4", "b.mp4"):
        write_mp4(tmp_path / name, iter(frames), (48, 32), 4, 5)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    about = imageio_ffmpeg.read_frames(str(tmp_path / "a.mp4"))
    said = next(about)
    assert (said["codec"], said["size"], said["duration"]) == ("av1", (48, 32), pytest.approx(2.25, abs=0.3))
    shown = [np.frombuffer(data, np.uint8).reshape(32, 48, 3) for data in about]
    assert np.abs(shown[0].astype(int) - frames[0]).mean() < 6
    assert np.abs(shown[-1].astype(int) - frames[-1]).mean() < 6
