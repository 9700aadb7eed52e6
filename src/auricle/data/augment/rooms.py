"""Reverberation in simulated rooms: boxes with early reflections by their images, and a diffuse tail."""

from dataclasses import dataclass

import numpy as np

from auricle.types import Waveform

SOUND = 343.0  # m/s, in air at 20 °C
MIXING = 0.06  # seconds, after which single reflections can no longer be told apart


@dataclass(frozen=True)
class Reverb:
    """Places the sound and the listener at random in a random room, and keeps length, start and level of the sound.

    Rooms are boxes with sides drawn from ``smallest`` to ``largest`` metres and a reverberation time drawn from
    ``low`` to ``high`` seconds. The direct sound stays where it was; what rings on after the end is cut off.
    """

    low: float = 0.2
    high: float = 0.8
    smallest: tuple[float, float, float] = (3.0, 3.0, 2.4)
    largest: tuple[float, float, float] = (10.0, 8.0, 4.0)

    def __call__(self, wave: Waveform, sample_rate: int, rng: np.random.Generator) -> Waveform:
        room = rng.uniform(self.smallest, self.largest)
        speaker, listener = (rng.uniform(0.5, room - 0.5) for _ in range(2))
        response = simulate_room(room, speaker, listener, rng.uniform(self.low, self.high), sample_rate, rng)
        response = response[int(np.argmax(np.abs(response))) :]
        size = 1 << (len(wave) + len(response) - 1).bit_length()
        wet = np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(response, size), size)[: len(wave)]
        dry_power, wet_power = np.mean(np.square(wave)), np.mean(np.square(wet))
        return (wet * np.sqrt(dry_power / wet_power) if wet_power > 0 else wet).astype(np.float32)


def simulate_room(
    room: np.ndarray,
    speaker: np.ndarray,
    listener: np.ndarray,
    seconds: float,
    sample_rate: int,
    rng: np.random.Generator,
) -> Waveform:
    """The impulse response of a box, from an omnidirectional speaker to an omnidirectional listener.

    Up to ``MIXING`` seconds, the image-source method (Allen & Berkley 1979): every reflection where geometry puts it,
    on the nearest sample, off walls that all absorb so much that Eyring's formula gives the reverberation time. After
    that, Gaussian noise of the energy that the images have on average, ``4 pi c / volume`` a second, decaying by 60 dB
    in ``seconds``. Images alone would take a hundred times as long and ring on, between parallel walls, half as long
    again.

    Args:
        room: width, depth, height in metres.
        speaker, listener: where they are in it, in metres from one corner.
        seconds: reverberation time, -60 dB.
        sample_rate: Hz.
        rng: of the noise.

    Returns:
        float32 [seconds * sample_rate], with the direct sound of amplitude 1 / metres at its delay.

    Raises:
        ValueError: the speaker or the listener is not inside the room.
    """
    room, speaker, listener = (np.asarray(value, np.float64) for value in (room, speaker, listener))
    if (speaker <= 0).any() or (speaker >= room).any() or (listener <= 0).any() or (listener >= room).any():
        raise ValueError("speaker and listener must be inside the room")
    volume, surface = room.prod(), 2 * (room[0] * room[1] + room[0] * room[2] + room[1] * room[2])
    direct = np.linalg.norm(speaker - listener)
    mixing = round(max(MIXING, 1.5 * direct / SOUND) * sample_rate)
    samples = max(round(seconds * sample_rate), mixing)

    reach = SOUND * mixing / sample_rate  # metres
    (x, walls_x), (y, walls_y), (z, walls_z) = (
        _images(side, at, ear, reach) for side, at, ear in zip(room, speaker, listener, strict=True)
    )
    distance = np.sqrt(x[:, None, None] ** 2 + y[:, None] ** 2 + z**2)
    walls = walls_x[:, None, None] + walls_y[:, None] + walls_z
    at = np.rint(distance / SOUND * sample_rate).astype(int)
    heard = at < mixing
    reflected = np.exp(-0.161 * volume / (2 * surface * seconds))  # amplitude that a wall gives back
    early = np.bincount(at[heard], reflected ** walls[heard] / distance[heard], mixing)

    time = np.arange(mixing, samples) / sample_rate
    power = 4 * np.pi * SOUND / volume / sample_rate * 10 ** (-6 * time / seconds)
    return np.concatenate([early, rng.standard_normal(len(time)) * np.sqrt(power)]).astype(np.float32)


def _images(side: float, speaker: float, listener: float, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """How far the speaker's images along one axis are from the listener, and how many walls each was reflected by."""
    cells = np.arange(-np.ceil(reach / (2 * side)) - 1, np.ceil(reach / (2 * side)) + 2)
    away = np.concatenate([2 * cells * side + speaker, 2 * cells * side - speaker]) - listener
    walls = np.concatenate([np.abs(2 * cells), np.abs(2 * cells - 1)])
    return away[np.abs(away) < reach], walls[np.abs(away) < reach]
