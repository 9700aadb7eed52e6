"""Labelled sound: manifests, clips decoded from files, splits, samplers, augmentation, and the bundled mini sets.

>>> from auricle import data
>>> events = data.mini("events")
>>> train = data.Clips(events.split("train"), sample_rate=16_000, seconds=1.0)
>>> train[0]["wave"].shape
(16000,)

Names are imported when first used; nothing here imports torch.
"""

from importlib import import_module

_HOME = {  # public name -> module that defines it
    "Clips": "auricle.data.clips",
    "Manifest": "auricle.data.manifest",
    "from_audacity": "auricle.data.labels",
    "from_csv": "auricle.data.labels",
    "from_folders": "auricle.data.labels",
    "from_raven": "auricle.data.labels",
    "mini": "auricle.data.bundled",
}

__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'auricle.data' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
