"""A job that is stopped says so in its log."""

import signal
import subprocess
import sys

from ontogeny.pipeline.overview import failure


def test_a_job_that_is_stopped_says_so(tmp_path):
    code = (
        "import signal\nimport time\nfrom types import SimpleNamespace\nfrom ontogeny.pipeline import job\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell starts what it puts behind without it
        f"asked = SimpleNamespace(log=[{str(tmp_path / 'log')!r}], threads=1, input=[], output=[], params={{}})\n"
        "with job(asked):\n    print('at work', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait() == 128 + signal.SIGINT
    assert "stopped by the user" in (tmp_path / "log").read_text()
    assert failure(tmp_path / "log") is None
