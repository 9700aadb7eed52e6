"""How well ``auricle versions`` finds other performances of a work, against Qmax and chroma, on works never learned on.

    python benchmarks/versions.py --cache DIR [--soundfont FILE] [--json FILE] [--quick]

Two sets, played by rule (``auricle.identify._works``) in other keys, tempi, instruments and arrangements. *Tunes*: what
two or three of Aird's, O'Neill's and Ryan's collections print under one name with like melodies, each setting played
once: variants of two centuries, in other keys and metres. *Composed*: new works by rule, four performances each.
Neither was learned on. With ``--soundfont`` (and ``pip install --no-deps tinysoundfont``), sampled instruments play
instead, as in Debian's timgm6mb-soundfont, which the ear has never heard.

Qmax (Serrà, Serra, Andrzejak, 2009) is as published: chroma at 2.15 frames a second, the best transposition, states of
9 frames, a tenth of mutual neighbours, gaps at 5 and 0.5. *Chroma* is correlated over all transpositions and lags.
The threshold of ``auricle versions`` is calibrated on the composed works and judged on the tunes.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from _common import Report, arguments
from auricle.features.cqt import ConstantQ
from auricle.hub.ear import open_ear
from auricle.identify import _works
from auricle.identify._versions import ranking
from auricle.identify.bytecover import chroma_similarity
from auricle.identify.bytecover3.training import chunk_vectors
from auricle.library.versions import THRESHOLD, maxmean, score_of
from auricle.types import Waveform

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
from tunes import families, fetch, tunes

RATE, SECONDS = 11_025, 45.0
STATES, NEIGHBOURS, ONSET, EXTENSION = 9, 0.095, 5.0, 0.5  # of Qmax
QUERIES = (10.0, 20.0)  # seconds from the middle of a recording

Set = tuple[list[Waveform], NDArray[np.int64]]


def tunes_set(cache: Path, soundfont: Path | None, most: int | None) -> Set:
    """Performances of the families of tunes, and of which family each is."""
    found = families(list(tunes(fetch(cache))))[:most]
    played = [(tune.work, number) for number, family in enumerate(found) for tune in family]
    waves = [perform(work, 500_000 + place, soundfont) for place, (work, _) in enumerate(played)]
    return waves, np.array([number for _, number in played])


def composed_set(soundfont: Path | None, most: int | None) -> Set:
    """Four performances of each of forty composed works."""
    works = range(40)[:most]
    waves = [perform(_works.compose(110_000 + n), 600_000 + 4 * n + v, soundfont) for n in works for v in range(4)]
    return waves, np.repeat(works, 4)


def perform(work: _works.Work, seed: int, soundfont: Path | None) -> Waveform:
    """One performance, at most 45 s."""
    return sampled(work, seed, soundfont) if soundfont else _works.perform(work, seed, RATE, SECONDS)


def sampled(work: _works.Work, seed: int, soundfont: Path) -> Waveform:
    """One performance by instruments of a soundfont, drawn anew for melody and accompaniment."""
    import tinysoundfont

    rng = np.random.default_rng((seed, 1))
    parts, whole = _works.played(work, rng, SECONDS, _works.Manner(tuning=0.0))
    synth = tinysoundfont.Synth(samplerate=RATE)
    font = synth.sfload(str(soundfont))
    events = []
    for channel, (_, notes) in enumerate(parts):
        synth.program_select(channel, font, 0, int(rng.choice([0, 6, 19, 21, 24, 40, 46, 56, 65, 68, 71, 73, 75, 79])))
        for at, length, pitch, level in notes:
            events.append((at, channel, round(pitch), int(110 * level)))
            events.append((at + length, channel, round(pitch), 0))
    out, now = [], 0
    for at, channel, pitch, velocity in sorted(events):
        samples = int(min(at, whole) * RATE) - now
        if samples > 0:
            out.append(np.frombuffer(synth.generate(samples), np.float32).reshape(-1, 2).mean(axis=1))
            now += samples
        if velocity:
            synth.noteon(channel, pitch, velocity)
        else:
            synth.noteoff(channel, pitch)
    wave = np.concatenate(out)
    return (0.7 * wave / max(1e-6, float(np.abs(wave).max()))).astype(np.float32)


# --- what is compared -------------------------------------------------------------------------------------------------


def heard(ear, waves: list[Waveform], seconds: float | None = None) -> list[NDArray[np.float32]]:
    """Vectors [windows, dim] of recordings, or of so much from the middle of each."""
    found = []
    for wave in waves:
        first = 0 if seconds is None else max(0, (len(wave) - int(seconds * RATE)) // 2)
        cut = wave if seconds is None else wave[first : first + int(seconds * RATE)]
        found.append(chunk_vectors(ear, cut))
    return found


def by_maxmean(queries: list[NDArray[np.float32]], items: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Scores [queries, items] as ``auricle versions`` gives them."""
    owner = np.repeat(np.arange(len(items)), [len(item) for item in items])
    rows = np.concatenate(items)
    return np.stack([maxmean(query, rows, owner)[1] for query in queries])


@torch.inference_mode()
def pictures(waves: list[Waveform], pool: int = 20) -> list[NDArray[np.float32]]:
    """Constant-Q magnitudes [84, frames] at 2.15 frames a second."""
    front_end = ConstantQ(RATE, 256, 32.70319566257483, 7, 12)
    found = []
    for wave in waves:
        magnitudes = front_end(torch.from_numpy(wave)[None])[0].T
        found.append(torch.nn.functional.avg_pool1d(magnitudes, pool).numpy())
    return found


def chromas(spectrograms: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Chroma [recordings, 12, frames] of the shortest length, each frame's largest value 1."""
    frames = min(one.shape[1] for one in spectrograms)
    folded = np.stack([one[:, :frames].reshape(7, 12, frames).sum(axis=0) for one in spectrograms])
    return folded / np.maximum(folded.max(axis=1, keepdims=True), 1e-9)


def qmax(chroma: NDArray[np.float32]) -> NDArray[np.float64]:
    """Qmax [n, n] of all pairs of ``chroma`` [n, 12, frames]."""
    profiles = chroma.sum(axis=2)
    scores = np.zeros((len(chroma), len(chroma)))
    for row, query in enumerate(chroma):
        turns = np.stack([np.roll(profiles, by, axis=1) @ profiles[row] for by in range(12)]).argmax(axis=0)
        items = np.stack([np.roll(item, by, axis=0) for item, by in zip(chroma, turns, strict=True)])
        scores[row] = longest(recurrence(states(query[None]), states(items)))
    return scores


def states(chroma: NDArray[np.float32]) -> NDArray[np.float32]:
    """States [n, times, 12 x 9] of chroma [n, 12, frames]."""
    windows = np.lib.stride_tricks.sliding_window_view(chroma, STATES, axis=2)
    return windows.transpose(0, 2, 1, 3).reshape(len(chroma), windows.shape[2], -1)


def recurrence(query: NDArray[np.float32], items: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which states of the query [1, i, w] and of each item [n, j, w] are among each other's nearest: [n, i, j]."""
    apart = (query**2).sum(-1)[:, :, None] + (items**2).sum(-1)[:, None] - 2 * query @ items.transpose(0, 2, 1)
    rows = np.quantile(apart, NEIGHBOURS, axis=2, keepdims=True)
    columns = np.quantile(apart, NEIGHBOURS, axis=1, keepdims=True)
    return (apart <= rows) & (apart <= columns)


def longest(plot: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Qmax [n] of recurrence plots [n, i, j]: the longest trace, with bends and gaps."""
    n, height, width = plot.shape
    total, best = np.zeros((n, height + 2, width + 2)), np.zeros(n)
    known = np.pad(plot, ((0, 0), (2, 0), (2, 0)))
    for i in range(2, height + 2):  # a row needs only the two before it
        places = ((i - 1, slice(1, -1)), (i - 2, slice(1, -1)), (i - 1, slice(0, -2)))
        before = np.stack([total[:, row, columns] for row, columns in places])
        held = np.stack([known[:, row, columns] for row, columns in places])
        gaps = (before - np.where(held, ONSET, EXTENSION)).max(axis=0)
        total[:, i, 2:] = np.where(known[:, i, 2:], before.max(axis=0) + 1, np.maximum(gaps, 0))
        best = np.maximum(best, total[:, i].max(axis=1))
    return best


def errors(similarity: NDArray[np.floating], works: NDArray[np.int64], threshold: float) -> tuple[float, float]:
    """Share of versions that reach ``threshold``, and share of pairs of different works that do."""
    same = works[:, None] == works
    other = ~np.eye(len(works), dtype=bool)
    return float((similarity[same & other] >= threshold).mean()), float((similarity[~same] >= threshold).mean())


def main() -> int:
    args = arguments(
        __doc__,
        cache={"type": Path, "required": True, "help": "for music21's wheel"},
        soundfont={"type": Path, "default": None, "metavar": "FILE"},
    )
    most = 4 if args.quick else None
    report = Report("Versions of works never learned on", args)
    ear = open_ear("bytecover3")
    sets = {
        "composed": composed_set(args.soundfont, most),
        "tunes": tunes_set(args.cache, args.soundfont, most),
    }
    calibrated = 0.0
    for name, (waves, works) in sets.items():
        report.part = f"{name}: {len(waves)} recordings of {len(set(works.tolist()))} works"
        items = heard(ear, waves)
        answers = {"auricle": by_maxmean(items, items)}
        for seconds in QUERIES:
            answers[f"auricle, asked for {seconds:.0f} s"] = by_maxmean(heard(ear, waves, seconds), items)
        spectrograms = pictures(waves)
        answers["Qmax"] = qmax(chromas(spectrograms))
        frames = min(one.shape[1] for one in spectrograms)
        answers["chroma"] = chroma_similarity(np.stack([one[:, :frames] for one in spectrograms]))
        for system, similarity in answers.items():
            found = ranking(similarity, works)
            report.add(f"{system}: MAP", found["map"], "")
            report.add(f"{system}: P@10", found["p10"], "")
            report.add(f"{system}: first version at", found["mr1"], "rank")
        if not calibrated:
            foreign = answers["auricle"][works[:, None] != works]
            calibrated = float(np.quantile(foreign, 0.998))
            report.add("MaxMean that 1 in 500 other works reach", calibrated, "")
        versions, false = errors(score_of(answers["auricle"]), works, THRESHOLD)
        report.add(f"versions that score {THRESHOLD}", versions, "")
        report.add(f"other works that score {THRESHOLD}", false, "")
    report.note("P@10 is at most 0.3 of composed works and about 0.1 of tunes, which have 3 and about 1 other version.")
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
