"""Works and their performances: music that is composed and played by rule, to learn and to test versions on.

A work is a melody over chords, made of phrases that come back; a performance is a choice of key, tempo, tuning,
instruments, accompaniment, ornaments, mistakes, and noise. The same seeds give the same samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auricle.types import Waveform

BEATS = 4  # of a bar
MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
RHYTHMS = (  # of a bar, in beats
    (1, 1, 1, 1), (2, 1, 1), (1, 1, 2), (1.5, 0.5, 1, 1), (0.5, 0.5, 1, 1, 1), (1, 0.5, 0.5, 1, 1), (2, 2),
    (0.5, 0.5, 0.5, 0.5, 1, 1), (3, 1), (1.5, 0.5, 2), (1, 1, 0.5, 0.5, 0.5, 0.5), (0.5, 0.5, 0.5, 0.5, 2),
)  # fmt: skip
MELODY_FORMS = ("AABA", "ABAC", "AABB", "ABCB")
TABLE = 2048  # samples of one period


class Note(NamedTuple):
    """One note of a melody: from beat ``start`` for ``beats``, of MIDI number ``pitch``."""

    start: float
    beats: float
    pitch: int


class Chord(NamedTuple):
    """One chord of an accompaniment; ``root`` and ``tones`` are pitch classes, 0 to 11."""

    start: float
    beats: float
    root: int
    tones: tuple[int, ...]


@dataclass(frozen=True)
class Work:
    """What performances have in common: a melody, chords, and how many beats they last."""

    notes: tuple[Note, ...]
    chords: tuple[Chord, ...]
    beats: float


def compose(seed: int, bars: int = 8) -> Work:
    """A work of four parts of ``bars`` bars, some of which are the same."""
    rng = np.random.default_rng((seed, 0))
    scale = np.array(MAJOR if rng.random() < 0.6 else MINOR)
    key = int(rng.integers(12))
    parts = {name: _phrase(rng, scale, bars) for name in "ABC"}
    form = MELODY_FORMS[rng.integers(len(MELODY_FORMS))]
    notes, chords = [], []
    for at, name in enumerate(form):
        begin = at * bars * BEATS
        melody, harmony = parts[name]
        notes += [Note(begin + note.start, note.beats, note.pitch + key) for note in melody]
        chords += [
            Chord(begin + c.start, c.beats, (c.root + key) % 12, tuple((tone + key) % 12 for tone in c.tones))
            for c in harmony
        ]
    return Work(tuple(notes), tuple(chords), len(form) * bars * BEATS)


def _phrase(rng: np.random.Generator, scale: NDArray, bars: int) -> tuple[list[Note], list[Chord]]:
    """A part in C: half of it a motif, and that again with another end."""
    degrees = [0, *rng.choice([0, 1, 2, 3, 4, 5], bars // 2 - 1)]
    degrees = [*degrees, *degrees[:-1], int(rng.choice([0, 4]))]
    motif = [RHYTHMS[index] for index in rng.integers(len(RHYTHMS), size=bars // 2)]
    notes, chords, degree = [], [], int(rng.integers(0, 8))
    steps = rng.choice([-3, -2, -1, -1, 0, 1, 1, 2, 3], (bars // 2, 8))
    for bar, root in enumerate(degrees):
        tones = tuple(int(scale[(root + third) % 7]) for third in (0, 2, 4))
        chords.append(Chord(bar * BEATS, BEATS, tones[0], tones))
        start = float(bar * BEATS)
        last = bar == bars - 1
        for index, beats in enumerate(motif[bar % (bars // 2)]):
            step = rng.choice([-2, -1, 1, 2]) if last else steps[bar % (bars // 2), index]
            degree = int(np.clip(degree + step, -2, 11))
            if index == 0:  # strong beats take a tone of the chord
                degree += min((-1, 0, 1), key=lambda by: ((degree + by - root) % 7 not in (0, 2, 4), abs(by)))
            notes.append(Note(start, beats, 60 + 12 * (degree // 7) + int(scale[degree % 7])))
            start += beats
    return notes, chords


def harmonised(notes: tuple[Note, ...], scale: tuple[int, ...], key: int, bar: float = BEATS) -> Work:
    """A melody with the triad of each bar that most of it belongs to, as a work.

    Args:
        notes: the melody.
        scale: seven pitch classes above ``key``, a pitch class.
        bar: its beats.
    """
    beats = max(note.start + note.beats for note in notes)
    chords = []
    for start in np.arange(0, beats, bar):
        weight = np.zeros(12)
        for note in notes:
            weight[note.pitch % 12] += max(0.0, min(note.start + note.beats, start + bar) - max(note.start, start))
        triads = [tuple((key + scale[(root + third) % 7]) % 12 for third in (0, 2, 4)) for root in (0, 3, 4, 5, 1)]
        best = max(triads, key=lambda triad: weight[list(triad)].sum() + 0.1 * weight[triad[0]])
        chords.append(Chord(float(start), bar, best[0], best))
    return Work(notes, tuple(chords), beats)


# --- playing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Timbre:
    """How one instrument sounds: its partials, and how a note rises and dies away."""

    partials: tuple[float, ...]
    attack: float  # seconds
    decay: float  # seconds to 1/e
    sustain: float  # level that remains, 0 of plucked strings
    vibrato: float = 0.0  # depth, in semitones

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "Timbre":
        """Another instrument every time."""
        count = int(rng.integers(3, 13))
        slope, odd = rng.uniform(0.4, 2.0), rng.uniform(0.1, 1.0)
        order = np.arange(1, count + 1)
        levels = order**-slope * np.where(order % 2, 1.0, odd) * rng.uniform(0.5, 1.5, count)
        plucked = rng.random() < 0.5
        return cls(
            tuple(np.round(levels / np.abs(levels).sum(), 4)),
            attack=rng.uniform(0.002, 0.01) if plucked else rng.uniform(0.01, 0.09),
            decay=rng.uniform(0.15, 0.9),
            sustain=0.0 if plucked else rng.uniform(0.4, 0.9),
            vibrato=0.0 if plucked or rng.random() < 0.5 else rng.uniform(0.05, 0.25),
        )


@cache
def _period(partials: tuple[float, ...]) -> NDArray[np.float32]:
    phase = 2 * np.pi * np.arange(TABLE) / TABLE
    return np.sum([level * np.sin(order * phase) for order, level in enumerate(partials, 1)], axis=0).astype(np.float32)


def tone(pitch: float, seconds: float, timbre: Timbre, rate: int) -> Waveform:
    """One note of MIDI number ``pitch`` [samples], 60 ms longer than ``seconds`` while it dies away."""
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    heard = max(1, min(len(timbre.partials), int(0.45 * rate / frequency)))
    time = np.arange(int((seconds + 0.06) * rate), dtype=np.float32) / rate
    phase = frequency * time
    if timbre.vibrato:
        phase = phase + frequency * timbre.vibrato * 0.0578 / (2 * np.pi * 5.5) * np.sin(2 * np.pi * 5.5 * time)
    envelope = np.minimum(time / timbre.attack, 1) * (
        timbre.sustain + (1 - timbre.sustain) * np.exp(-time / timbre.decay)
    )
    envelope *= np.clip((seconds + 0.06 - time) / 0.06, 0, 1)
    return (_period(timbre.partials[:heard])[(phase * TABLE).astype(np.int64) % TABLE] * envelope).astype(np.float32)


@dataclass(frozen=True)
class Manner:
    """How far performances may be from the score."""

    transposition: int = 6  # semitones, up or down
    tempo: tuple[float, float] = (77.0, 143.0)  # beats a minute
    tuning: float = 0.3  # semitones, up or down
    noise: tuple[float, float] = (5.0, 30.0)  # dB, signal to noise
    dropped: float = 0.08  # share of notes
    substituted: float = 0.15  # share of chords
    accompaniments: tuple[str, ...] = ("block", "arpeggio", "stride", "drone", "none")

    def eased(self, share: float) -> "Manner":
        """The same, as much nearer to the score as ``share``, in [0, 1], says: 0 changes little but the key."""
        low, high = self.tempo
        middle = (low * high) ** 0.5
        loud, soft = self.noise
        return Manner(
            self.transposition,
            (middle * (low / middle) ** share, middle * (high / middle) ** share),
            self.tuning * (0.25 + 0.75 * share),
            (soft - 5 - (soft - 5 - loud) * share, soft),
            self.dropped * share,
            self.substituted * share,
            self.accompaniments if share > 0.3 else ("drone", "none"),
        )


FREE = Manner()


class Part(NamedTuple):
    """What one instrument plays: times, lengths (s), MIDI numbers and levels of its notes [notes, 4]."""

    timbre: Timbre
    notes: NDArray[np.float64]


def played(
    work: Work, rng: np.random.Generator, seconds: float | None = None, manner: Manner = FREE, start: float = 0.0
) -> tuple[list[Part], float]:
    """What a performer makes of ``work``: melody and accompaniment, and how many seconds they last.

    Args:
        work: what to play.
        rng: draws all that the performer chooses.
        seconds: the length; a shorter work begins again. None for the whole work.
        manner: how free the performer is.
        start: the beat to begin at.
    """
    beat = 60 / rng.uniform(*manner.tempo)
    shift = rng.integers(-manner.transposition, manner.transposition + 1) + rng.uniform(-1, 1) * manner.tuning
    whole = (work.beats - start) * beat if seconds is None else seconds
    octave = int(rng.choice([-12, 0, 0, 12]))
    style = manner.accompaniments[rng.integers(len(manner.accompaniments))]
    loudness = rng.uniform(0.25, 0.8)  # of the accompaniment
    grace, repeat = rng.uniform(0, 0.15), rng.uniform(0, 0.15)
    melody, harmony = [], []
    for begin in np.arange(-start, whole / beat, work.beats):
        for note in work.notes:
            at, pitch = begin + note.start, note.pitch + octave
            if not 0 <= at < whole / beat or rng.random() < manner.dropped:
                continue
            if rng.random() < grace:
                melody.append((at, 0.2, pitch + rng.choice([-2, -1, 1, 2]), 0.6))
            if note.beats >= 1 and rng.random() < repeat:
                half = note.beats / 2
                melody += [(at, half, pitch, 1.0), (at + half, half, pitch, 0.8)]
            else:
                melody.append((at, note.beats, pitch, rng.uniform(0.7, 1.0)))
        for chord in work.chords:
            at = begin + chord.start
            if 0 <= at < whole / beat and style != "none":
                tones = chord.tones
                if rng.random() < manner.substituted:  # its parallel a third below
                    tones = ((tones[0] - (3 if (tones[1] - tones[0]) % 12 == 4 else 4)) % 12, *tones[:2])
                harmony += [(at + when, beats, p, loudness) for when, beats, p in _accompany(style, tones, chord.beats)]
    parts = []
    for notes in (melody, harmony):
        table = np.array(notes or np.zeros((0, 4)), float) * (beat, 0.95 * beat, 1, 1) + (0, 0, shift, 0)
        table[:, 0] = np.maximum(0, table[:, 0] + rng.normal(0, 0.008, len(table)))
        parts.append(Part(Timbre.drawn(rng), table))
    return parts, whole


def perform(
    work: Work, seed: int, rate: int, seconds: float | None = None, manner: Manner = FREE, start: float = 0.0
) -> Waveform:
    """Plays ``work`` with noise: float32 [samples] at ``rate`` Hz, peak 0.5 to 0.9; see ``played``."""
    rng = np.random.default_rng((seed, 1))
    parts, whole = played(work, rng, seconds, manner, start)
    out = np.zeros(int(whole * rate), np.float32)
    for timbre, notes in parts:
        for at, length, pitch, level in notes:
            begin = int(at * rate)
            wave = tone(pitch, length, timbre, rate)[: max(0, len(out) - begin)]
            out[begin : begin + len(wave)] += level * wave
    power = max(float(np.mean(np.square(out))), 1e-9)
    out += np.sqrt(power * 10 ** (-rng.uniform(*manner.noise) / 10)) * _coloured(rng, len(out))
    return (rng.uniform(0.5, 0.9) * out / max(float(np.abs(out).max()), 1e-9)).astype(np.float32)


LOWEST, BINS = 24, 84  # MIDI number of C1, semitones


def picture(
    work: Work, seed: int, rate: float, frames: int, manner: Manner = FREE, start: float = 0.0
) -> NDArray[np.float32]:
    """About the constant-Q magnitudes [84, frames] of a performance, without any sound: a thousand times as fast.

    Partials add up, and time is blurred as the long windows of low bins blur it. See ``perform``.

    Args:
        rate: frames a second.
        frames: how many.
    """
    rng = np.random.default_rng((seed, 1))
    parts, _ = played(work, rng, frames / rate, manner, start)
    total = np.zeros((BINS, frames), np.float32)
    for timbre, notes in parts:
        if not len(notes):
            continue
        pitches = notes[:, 2] - LOWEST
        offset = float(pitches[0] - np.floor(pitches[0]))  # of the tuning, the same for all
        roll = np.zeros((BINS + 12, frames), np.float32)
        time = np.arange(frames) / rate
        for at, length, pitch, level in notes:
            row, first = int(np.floor(pitch - LOWEST)), int(at * rate)
            last = min(frames, int((at + length) * rate) + 1)
            if 0 <= row < len(roll) and first < last:
                decay = np.exp(-time[: last - first] / timbre.decay)
                roll[row, first:last] += level * (timbre.sustain + (1 - timbre.sustain) * decay)
        partials = np.zeros((BINS, len(roll)), np.float32)
        for order, strength in enumerate(timbre.partials, 1):
            place = 12 * np.log2(order) + offset
            low = int(np.floor(place))
            for step in (-1, 0, 1, 2):  # a Hann window reaches into the neighbours
                near = strength * max(0.0, 1 - abs(low + step - place) / 1.7)
                partials += near * np.eye(BINS, len(roll), -(low + step), dtype=np.float32)
        total += partials @ roll
    total *= 2.0 ** (-np.arange(BINS, dtype=np.float32)[:, None] / 24)  # the root of the windows' lengths
    for octave in range(4):  # 0.52 s in the lowest octave, 0.07 s in the fourth
        width = round(0.4 / 2**octave * rate)
        if width > 1:
            rows = slice(12 * octave, 12 * octave + 12)
            sums = np.cumsum(np.pad(total[rows], ((0, 0), (width // 2 + 1, width - width // 2 - 1)), "edge"), axis=1)
            total[rows] = (sums[:, width:] - sums[:, :-width])[:, :frames] / width if frames else total[rows]
    noise = rng.rayleigh(1, total.shape) * np.linspace(rng.uniform(0.2, 2), rng.uniform(0.2, 2), BINS)[:, None]
    level = np.sqrt(np.mean(np.square(total))) * 10 ** (-rng.uniform(*manner.noise) / 20)
    colour = np.exp(np.interp(np.arange(BINS), np.linspace(0, BINS, 6), rng.normal(0, 0.4, 6)))[:, None]
    return ((total + level * noise) * colour).astype(np.float32)


def _accompany(style: str, tones: tuple[int, ...], beats: float) -> Sequence[tuple[float, float, int]]:
    """Beats into the chord, length in beats, and MIDI number of what accompanies it."""
    root = 36 + (tones[0] - 4) % 12 + 4
    above = [root + 12 + (tone - tones[0]) % 12 for tone in tones]
    match style:
        case "block":
            return [(0, beats, root), *((0, beats, pitch) for pitch in above)]
        case "arpeggio":
            return [(at / 2, 1.0, (root, *above)[at % 4]) for at in range(int(2 * beats))]
        case "stride":
            weak = [(at, 0.5, pitch) for at in range(1, int(beats), 2) for pitch in above]
            return [(at, 0.9, root) for at in range(0, int(beats), 2)] + weak
        case _:  # a drone
            return [(0, beats, root), (0, beats, root + 12)]


def _coloured(rng: np.random.Generator, samples: int) -> NDArray[np.float32]:
    """Noise of unit power, white to brown."""
    size = 1 << max(1, int(samples - 1).bit_length())
    spectrum = np.fft.rfft(rng.standard_normal(size)) / np.maximum(np.arange(size // 2 + 1), 40) ** rng.uniform(0, 1)
    noise = np.fft.irfft(spectrum)[:samples]
    return (noise / max(float(noise.std()), 1e-9)).astype(np.float32)
