"""Reverberation in simulated rooms: the image-source method for a shoebox, as short as it can honestly be."""

from dataclasses import dataclass

import numpy as np

from auricle.types import Waveform

SOUND = 343.0  # m/s, in air at 20 °C


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
    rng: np.random.Generator | None = None,
) -> Waveform:
    """The impulse response of a box, from an omnidirectional speaker to an omnidirectional listener.

    The image-source method (Allen & Berkley 1979). All walls absorb alike, so much that Eyring's formula gives the
    reverberation time. Image distances are jittered by up to 8 cm with ``rng``, against the sweeping echoes of
    perfect boxes (De Sena et al. 2015). Pulses fall on the nearest sample.

    Args:
        room: width, depth, height in metres.
        speaker, listener: where they are in it, in metres from one corner.
        seconds: reverberation time, -60 dB. Shorter than the room allows (with all sound absorbed) gives the direct
            sound alone.
        sample_rate: Hz.
        rng: of the jitter; None for none.

    Returns:
        float32 [seconds * sample_rate], with the direct sound of amplitude 1 / metres at its delay.

    Raises:
        ValueError: the speaker or the listener is not inside the room.
    """
    room, speaker, listener = (np.asarray(value, np.float64) for value in (room, speaker, listener))
    if (speaker <= 0).any() or (speaker >= room).any() or (listener <= 0).any() or (listener >= room).any():
        raise ValueError("speaker and listener must be inside the room")
    volume, surface = room.prod(), 2 * (room[0] * room[1] + room[0] * room[2] + room[1] * room[2])
    reflected = np.exp(-0.161 * volume / (2 * surface * seconds))  # amplitude that a wall gives back (Eyring)
    direct = np.linalg.norm(speaker - listener)
    samples = int(np.ceil(max(seconds, 1.1 * direct / SOUND) * sample_rate))
    reach = np.ceil(SOUND * samples / sample_rate / (2 * room)).astype(int)
    axes = []  # for each axis, how far every image is from the listener, and by how many walls it was reflected
    for axis in range(3):
        cells = np.arange(-reach[axis], reach[axis] + 1)
        straight = 2 * cells * room[axis] + speaker[axis] - listener[axis]
        mirrored = 2 * cells * room[axis] - speaker[axis] - listener[axis]
        axes.append((np.concatenate([straight, mirrored]), np.concatenate([2 * np.abs(cells), np.abs(2 * cells - 1)])))
    (x, walls_x), (y, walls_y), (z, walls_z) = axes
    distance = np.sqrt(x[:, None, None] ** 2 + y[:, None] ** 2 + z**2)
    walls = walls_x[:, None, None] + walls_y[:, None] + walls_z
    if rng is not None:
        distance = np.where(walls > 0, np.maximum(distance + rng.uniform(-0.08, 0.08, distance.shape), 0.1), distance)
    at = np.rint(distance / SOUND * sample_rate).astype(int)
    heard = at < samples
    amplitude = reflected ** walls[heard] / distance[heard]
    return np.bincount(at[heard], amplitude, samples).astype(np.float32)
