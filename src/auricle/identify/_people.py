"""People who do not exist, with voices and faces: what is seen of somebody and what is heard has causes in common.

Somebody is 8 numbers, standard normal. Six of them shape the voice and six the face; four do both, so a voice tells
something of a face, and not all. Every clip is another session: other vowels, level, channel and noise; another pose
and light. The sign of a common number stands for the sex.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 16_000  # Hz
SECONDS = 1.0
FRAME = 160  # samples over which a harmonic's level stays
SIDE, FRAMES = 32, 2  # pixels of a face, and pictures of it in a clip
LATENT, OF_VOICE, OF_FACE, SEX = 8, slice(0, 6), slice(2, 8), 2
VOWELS = np.array([(730, 1090), (270, 2290), (300, 870), (530, 1840), (570, 840), (660, 1720)])  # Hz: F1, F2


@dataclass
class Clips:
    """Clips of several people, in the order of ``people``."""

    waves: NDArray[np.float32]  # [clips, samples], in [-1, 1]
    faces: NDArray[np.float32]  # [clips, FRAMES, 3, SIDE, SIDE], in [0, 1]
    people: NDArray[np.int64]  # [clips], who it is
    sexes: NDArray[np.bool_]  # [clips]


def clips(people: int, each: int, seed: int) -> Clips:
    """``each`` clips of as many people, drawn by ``seed``."""
    rng = np.random.default_rng(seed)
    latents = rng.standard_normal((people, LATENT))
    who = np.repeat(np.arange(people), each)
    waves = np.stack([voice(latents[person, OF_VOICE] @ _mixing(1), rng) for person in who])
    return Clips(waves, faces(latents[who, OF_FACE] @ _mixing(2), rng), who, latents[who, SEX] > 0)


def _mixing(seed: int) -> NDArray[np.float64]:
    """An orthogonal matrix [6, 6]: what is shaped depends on every cause a little."""
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((6, 6)))[0]


def voice(person: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float32]:
    """A second of somebody's vowels [samples], by harmonics under formants.

    Args:
        person: [6]: pitch, length of the vocal tract, third formant, slope of the spectrum, vibrato, breath.
    """
    time = np.arange(int(RATE * SECONDS)) / RATE
    pitch = 150 * 2 ** (
        0.5 * person[0] + 0.08 * rng.standard_normal() + 0.05 * np.sin(2 * np.pi * rng.uniform(1, 3) * time)
    )
    pitch *= 1 + 0.01 * np.exp(0.7 * person[4]) * np.sin(2 * np.pi * 5.5 * time + rng.uniform(0, 6))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    vowels = VOWELS[rng.choice(len(VOWELS), 2)]
    glide = np.interp(time[::FRAME], [0.4 * SECONDS, 0.6 * SECONDS], [0, 1])[:, None]
    first, second = (np.exp(0.2 * person[1]) * ((1 - glide) * vowels[0] + glide * vowels[1])).T
    formants = ((first, 1.0), (second, 0.6), (2600 * np.exp(0.2 * person[2]), 0.4))
    harmonics = np.arange(1, 25)[:, None]
    hertz = harmonics * pitch[::FRAME]
    heard = 0.02 + sum(level / (1 + ((hertz - formant) / 120) ** 2) for formant, level in formants)
    levels = np.repeat(heard * harmonics ** (-0.6 - 0.4 * person[3]) * (hertz < 5000), FRAME, axis=1)
    sound = np.zeros(len(time))
    before, now, twice = np.zeros(len(time)), np.sin(phase), 2 * np.cos(phase)
    for level in levels:  # sin((k + 1) x) = 2 cos(x) sin(k x) - sin((k - 1) x)
        sound += level * now
        before, now = now, twice * now - before
    sound /= np.sqrt(np.mean(np.square(sound)))
    breath = np.convolve(rng.standard_normal(len(time)), [1, -0.7], "same")
    sound += 0.08 * np.exp(0.7 * person[5]) * breath
    sound += 10 ** (-rng.uniform(10, 25) / 20) * rng.standard_normal(len(time))  # what else there is in the room
    tilt = rng.uniform(-0.5, 0.5)
    channel = sound + tilt * np.concatenate([[0.0], sound[:-1]])
    return (rng.uniform(0.1, 0.9) * channel / np.abs(channel).max()).astype(np.float32)


def faces(people: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float32]:
    """Pictures of faces [clips, FRAMES, 3, SIDE, SIDE], drawn of soft ellipses.

    Args:
        people: [clips, 6]: skin, shape of the head, distance of the eyes, width of the mouth, hair, size of the eyes.
    """
    count = len(people) * FRAMES
    skin, shape, apart, mouth, hair, eyes = np.repeat(people, FRAMES, axis=0).T[:, :, None, None]
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    shift, size = rng.normal(0, 0.1, (2, count, 1, 1)), rng.normal(1, 0.08, (count, 1, 1))
    turn = rng.normal(0, 0.1, (count, 1, 1))
    across, down = size * (x + turn * y) - shift[0], size * (y - turn * x) - shift[1]

    def ellipse(cx, cy, width, height):
        """How much of every pixel lies inside [count, SIDE, SIDE]."""
        inside = 1 - ((across - cx) / width) ** 2 - ((down - cy) / height) ** 2
        return 1 / (1 + np.exp(-np.clip(6 * inside, -30, 30)))[:, None]

    def coloured(red, green, blue):
        return np.broadcast_to(np.stack(np.broadcast_arrays(red, green, blue), 1), (count, 3, 1, 1))

    one = np.ones((count, 1, 1))
    wide, tall = 0.6 * np.exp(0.2 * shape), 0.75 * np.exp(-0.1 * shape)
    dark = 1 / (1 + np.exp(-hair))
    picture = coloured(*(rng.uniform(0.2, 0.8, (3, count, 1, 1))))  # what is behind
    parts = [
        (ellipse(0, -0.25, 1.1 * wide, 0.8 * tall), coloured(0.8 * dark, 0.6 * dark, 0.3 * dark)),
        (ellipse(0, 0.05, wide, tall), coloured(0.7 + 0.12 * skin, 0.55 + 0.12 * skin, 0.5 * one)),
        (ellipse(0, 0.45, 0.22 * np.exp(0.4 * mouth), 0.07), coloured(0.6 * one, 0.2 * one, 0.2 * one)),
    ]
    for side in (-1, 1):
        place = side * 0.26 * np.exp(0.3 * apart)
        parts.append(
            (ellipse(place, -0.1, 0.11 * np.exp(0.35 * eyes), 0.07 * np.exp(0.35 * eyes)), coloured(*[0.1 * one] * 3))
        )
    for inside, colour in parts:
        picture = picture * (1 - inside) + colour * inside
    light = rng.normal(1, 0.12, (count, 1, 1, 1)) + rng.normal(0, 0.15, (count, 1, 1, 1)) * x
    noisy = light * picture + rng.normal(0, 0.08, (count, 3, SIDE, SIDE))
    return np.clip(noisy, 0, 1).astype(np.float32).reshape(len(people), FRAMES, 3, SIDE, SIDE)


class Sessions:
    """Clips to train on, heard and seen anew every time; a map-style data set.

    Items are ``{"wave": [samples], "faces": [FRAMES, 3, SIDE, SIDE], "speaker": number}``: three quarters of the
    second, the pictures at random mirrored.
    """

    def __init__(self, clips: Clips, seed: int):
        self.clips, self.rng = clips, np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self.clips.people)

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng, wave = self.rng, self.clips.waves[index]
        length = len(wave) * 3 // 4
        start = rng.integers(len(wave) - length + 1)
        faces = self.clips.faces[index][..., :: rng.choice((-1, 1))]
        return {
            "wave": wave[start : start + length],
            "faces": faces.copy(),
            "speaker": self.clips.people[index],
        }


@dataclass
class Trials:
    """Pairs of clips, half of one person and half of two."""

    enrol: NDArray[np.int64]  # [trials]
    test: NDArray[np.int64]
    same: NDArray[np.bool_]
    one_sex: NDArray[np.bool_]  # whether both are of it


def trials(heard: Clips, count: int, seed: int) -> Trials:
    """``count`` pairs of different clips of ``heard``."""
    rng = np.random.default_rng(seed)
    mates = {person: np.flatnonzero(heard.people == person) for person in np.unique(heard.people)}
    same = np.arange(count) % 2 == 0
    enrol, test = np.empty(count, np.int64), np.empty(count, np.int64)
    for number, match in enumerate(same):
        one, other = rng.choice(list(mates), 2, replace=False)
        if match:
            enrol[number], test[number] = rng.choice(mates[one], 2, replace=False)
        else:
            enrol[number], test[number] = rng.choice(mates[one]), rng.choice(mates[other])
    return Trials(enrol, test, same, heard.sexes[enrol] == heard.sexes[test])
