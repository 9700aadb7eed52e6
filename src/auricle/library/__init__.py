"""The library: what was heard in folders of recordings, stored once, asked many times."""

from auricle.library.detect import detect
from auricle.library.duplicates import Duplicates
from auricle.library.ingest import IndexReport, Progress
from auricle.library.library import Library, tag
from auricle.library.search import Answer, Part

__all__ = ["Answer", "Duplicates", "IndexReport", "Library", "Part", "Progress", "detect", "tag"]
