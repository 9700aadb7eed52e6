"""auricle listens once to a pile of recordings and then answers anything asked of it.

>>> import auricle
>>> library = auricle.Library("my-library")
>>> library.index("recordings/")
>>> library.search("dog barking in the distance")
>>> auricle.tag("clip.wav")

Names are imported when first used, so ``import auricle`` is instant and never imports torch.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {  # public name -> module that defines it
    "Library": "auricle.library",
    "tag": "auricle.library",
    "load": "auricle.hub",
    "systems": "auricle.hub",
    "AuricleError": "auricle.errors",
    "Ear": "auricle.types",
    "Event": "auricle.types",
    "Hit": "auricle.types",
    "Recording": "auricle.types",
    "Tag": "auricle.types",
}

__all__ = ["__version__", *sorted(_HOME)]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'auricle' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
