"""Paths as people see them: relative to the indexed folder they lie in."""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from auricle.serve.confine import below


class Names:
    """Shown and real paths below ``roots``; with several roots a shown path begins with its root's name."""

    def __init__(self, roots: Iterable[Path]):
        folders = list(dict.fromkeys(root.parent if root.is_file() else root for root in roots))
        often = Counter(folder.name for folder in folders)
        self.roots = (
            {"": str(folders[0])}
            if len(folders) == 1
            else {folder.name if often[folder.name] == 1 else str(folder): str(folder) for folder in folders}
        )

    def shown(self, path: str) -> str:
        """``/music/live/a.wav`` as ``live/a.wav`` or, where other folders were indexed too, ``music/live/a.wav``."""
        for name, root in self.roots.items():
            if below(path, root):
                return os.path.join(name, path[len(root) :].lstrip(os.sep)) or os.curdir
        return path

    def folder(self, path: str) -> str:
        """The shown folder of a real path; empty for the only root itself."""
        return os.path.dirname(self.shown(path))

    def real(self, shown: str) -> str:
        """The real path of a shown folder."""
        for name, root in self.roots.items():
            if below(shown, name) if name else not os.path.isabs(shown):
                return os.path.normpath(os.path.join(root, shown.removeprefix(name).lstrip(os.sep)))
        return shown
