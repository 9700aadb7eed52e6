"""Fixtures of all tests: a home of its own for every test run, and the fake ear on everybody's path."""

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

PLUGINS = str(Path(__file__).parent / "plugins")
sys.path.insert(0, PLUGINS)
os.environ["PYTHONPATH"] = os.pathsep.join(
    [PLUGINS, *filter(None, [os.environ.get("PYTHONPATH")])]
)  # for worker processes

# Tests begun in the background of a script ignore Ctrl-C, and so would the commands that are to be stopped by it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("auricle", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("auricle")


@pytest.fixture(autouse=True)
def _no_user_library(tmp_path_factory, monkeypatch):
    """No test reads or writes the user's own library; weights stay in the user's cache, they are large."""
    monkeypatch.delenv("AURICLE_LIBRARY", raising=False)


@pytest.fixture(scope="module")
def one_thread():
    """Torch on one thread: small networks are ten times slower on two, which wait for each other."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
