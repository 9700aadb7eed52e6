"""``auricle search``: asks the library."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from auricle.cli.clips import save_clips
from auricle.cli.files import deliver
from auricle.cli.options import SHARED, InLibrary, Limit, MinScore, ToFile, Where, option
from auricle.cli.output import say


@dataclass
class Command:
    """Find stretches of sound by words, by example, or both; best first.

    Words without quotes make one sentence. Quote several to mix them, with weights if you like:
    auricle search "rain^2" "thunder" --like storm.wav@3-8 --not music
    """

    words: Annotated[Positional[tuple[str, ...]], option("WORDS")] = ()
    """What to listen for."""

    like: Annotated[tuple[str, ...], option("FILE[@START-END][^W]")] = ()
    """Sounds like this file, or like this excerpt of it in seconds (repeatable)."""

    without: Annotated[tuple[str, ...], option("WORDS|FILE", name="not")] = ()
    """Not like these words or this file (repeatable)."""

    where: Where = None
    """Only recordings that pass, e.g. "duration > 60 AND path LIKE '%birds%'"."""

    limit: Limit = 10
    """Most hits."""

    min_score: MinScore = None
    """Least score, 0 to 1 (default: what the ear finds probable)."""

    one_per_file: Annotated[bool, option()] = False
    """Only the best hit of each recording."""

    save_clips: Annotated[Path | None, option("DIR")] = None
    """Write each hit as a sound file into DIR."""

    to: Annotated[ToFile, SHARED] = field(default_factory=ToFile)

    library: Annotated[InLibrary, SHARED] = field(default_factory=InLibrary)

    def run(self) -> None:
        words = parts(self.words)
        answer = self.library.open().answer(
            words,
            like=self.like,
            without=self.without,
            where=self.where,
            limit=self.limit,
            min_score=self.min_score,
            one_per_recording=self.one_per_file,
        )
        deliver(answer.hits, self.to, self.library.json, label=" + ".join(words))
        if not answer.hits:
            say(nothing(answer.best))
        if self.save_clips:
            for clip in save_clips(answer.hits, self.save_clips):
                say(f"wrote {clip}")


def parts(words: tuple[str, ...]) -> list[str]:
    """Bare words are one sentence; as soon as one is quoted or weighted, each stands for itself."""
    if any(" " in word.strip() or "^" in word for word in words):
        return list(words)
    return [" ".join(words)] if words else []


def nothing(best: float) -> str:
    """An honest answer when no window is good enough, and what to try."""
    if best <= 0:
        return "Nothing like that here. Try other words, a looser --where, or --like FILE."
    return (
        f"Nothing like that here; the closest scores {best:.2f}. "
        f"To see it: --min-score {best // 0.01 / 100:.2f}. Or try other words, or --like FILE."
    )
