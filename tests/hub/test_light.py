"""The hub is imported by every command, so it must cost next to nothing."""

import subprocess
import sys

HEAVY = {
    "torch",
    "onnxruntime",
    "onnx",
    "numpy",
    "huggingface_hub",
    "filelock",
    "platformdirs",
    "urllib.request",
    "subprocess",
}


def test_importing_the_hub_imports_nothing_heavy():
    code = f"import sys, auricle.hub; print(*{HEAVY!r}.intersection(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
