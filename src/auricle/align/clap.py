"""CLAP: contrastive language-audio pretraining, the ear that understands sentences.

Wu, Chen, Zhang, Hui, Berg-Kirkpatrick, Dubnov, "Large-Scale Contrastive Language-Audio Pretraining with Feature Fusion
and Keyword-to-Caption Augmentation", ICASSP 2023, arXiv 2211.06687. Two towers are trained on pairs of sounds and
captions so that a sound and its caption point the same way: a Swin transformer over the log-mel spectrogram (HTS-AT)
and RoBERTa over the words, each followed by a two-layer projection to one space of unit vectors. The loss is the
symmetric cross-entropy over all pairings of a batch (InfoNCE) with a learned temperature. Captions come from
LAION-Audio-630K, AudioCaps, Clotho and, written by a language model from the tags, AudioSet. Whatever can be said can
then be searched or classified by cosine, with no label set.

    waveform [480000] 48 kHz, 10 s           "a dog barks in the distance"
      | log-mel, Slaney bank, dB               | byte-level BPE, at most 77 tokens
    [1001 frames, 64 bands]                  [tokens]
      | folded to an image, HTS-AT             | RoBERTa, first token, tanh
    [768]                                    [768]
      | linear, ReLU, linear, L2               | linear, ReLU, linear, L2
    [512]  <------------- cosine ------------> [512]

Kept: the published networks (run by ``transformers.ClapModel``) and the front-end of the *unfused* models, to within
1e-4 dB of ``transformers.ClapFeatureExtractor``. Deviations, each for the sake of the same vector on every run:

- Windows, not random crops: a long recording is heard in windows of 10 s, 5 s apart.
- The authors' ``repeatpad`` tiles a clip into the 10 s as often as it fits whole and fills the rest with zeros. The
  windows heard here come already filled with zeros, and with a hop of half a window that is the same thing for every
  recording longer than 5 s: its last window holds more than 5 s of it, which fit only once. A window whose second half
  is all zeros, which is any shorter recording, is tiled by ``repeat_pad``. So is, knowingly, a window of a long
  recording that ends in 5 s or more of digital silence: what sounds in it is heard as a short clip.
- The authors' round trip through 16-bit samples is left out, as in ``transformers``.
- The fused models, which look at a whole long clip at once, are refused: they need another mel bank, and windows of
  10 s give them nothing to fuse.

Good to know: trained on captions of whole clips, a vector says what its 10 s are about and misses short, faint events;
the text tower knows English only, and hardly who does what or in which order (CompA, arXiv 2310.08753).
"""

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from auricle.errors import WeightsError
from auricle.features.mel import periodic_hann, slaney_bank
from auricle.hub import Card, Weights, derived, fetch, fetch_all
from auricle.types import Heard, Waveform

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer
    from transformers import ClapModel

CARD = Card(
    name="clap",
    title="Large-Scale Contrastive Language-Audio Pretraining with Feature Fusion and Keyword-to-Caption Augmentation",
    room="align",
    kind="model",
    authors=(
        "Yusong Wu",
        "Ke Chen",
        "Tianyu Zhang",
        "Yuchen Hui",
        "Taylor Berg-Kirkpatrick",
        "Shlomo Dubnov",
    ),
    year=2023,
    arxiv="2211.06687",
    task="text-to-audio retrieval",
    summary="Hears 10 s windows and reads sentences into one space, so that sounds are found by describing them.",
    claim="zero-shot accuracy on ESC-50: 91.0 %, against 82.6 % of Microsoft's CLAP (2022)",
    code_licence="CC0-1.0",
    data_licence="mixed: the sounds are their owners', some sources are licensed and not public",
    weights={
        "630k-audioset-unfused": (
            Weights(
                file="clap-630k-audioset-unfused-config.json",
                sources=("hf:laion/clap-htsat-unfused/config.json@8fa0f1c6d0433df6e97c127f64b2a1d6c0dcda8a",),
                sha256="9efb9557bc804f2ca6e394486af2e45dfed0b18554909735a99c6220b84e4288",
                size=5390,
                licence="Apache-2.0",
                note="The network, 614 MB of safetensors, is fetched beside it under the checksum the hub publishes.",
            ),
            Weights(
                file="clap-630k-audioset-unfused-tokenizer.json",
                sources=("hf:laion/clap-htsat-unfused/tokenizer.json@8fa0f1c6d0433df6e97c127f64b2a1d6c0dcda8a",),
                sha256="77ef92283d67f0d97e1454909a964afcbfa2019f0fb9f18f8e88d5c25c3ba729",
                size=2108746,
                licence="Apache-2.0",
            ),
        ),
    },
    extras=("train",),
    ear=True,
)

# The network is the authors' 630k-audioset-best.pt by the word of one of them (LAION-AI/CLAP, issue 123). On the main
# branch it is a pickle; this commit, by the hub's own converter, adds it as safetensors. Only the hub itself publishes
# the checksum of that file, hence ``_sealed``.
NETWORK = "model.safetensors"
NETWORK_REPOSITORY = "laion/clap-htsat-unfused"
NETWORK_REVISION = "79b58ed25fc00386262a2bea4b19fd21dc4310a0"

SAMPLE_RATE = 48_000  # Hz
WINDOW = 480_000  # samples = 10 s
HOP = 240_000  # samples = 5 s: half a window, so that zero-filling equals the authors' padding (see above)

N_FFT = 1024
STFT_HOP = 480  # samples = 10 ms: 1 + 480000 / 480 = 1001 frames a window
BANDS = 64
F_MIN, F_MAX = 50.0, 14_000.0  # Hz
FLOOR = 1e-10  # of the power, -100 dB

MAX_TOKENS = 77  # a longer text is cut, as in training
DERIVED = (".position_ids", ".token_type_ids", ".relative_position_index", ".num_batches_tracked")  # need not be stored


@cache
def mel_bank() -> NDArray[np.float64]:
    """The mel filters [bins = 513, bands = 64]."""
    return slaney_bank(SAMPLE_RATE, N_FFT, BANDS, F_MIN, F_MAX)


def log_mel(waveform: Waveform) -> NDArray[np.float32]:
    """Log-mel spectrogram [frames = 1 + samples // 480, bands = 64] of mono ``waveform`` [samples], in dB, >= -100.

    Power spectrum of periodic Hann windows of 1024 samples, centred with reflection, in float64: a window always gives
    the same bits, and quiet bands are not lost beside loud ones.
    """
    padded = np.pad(waveform, N_FFT // 2, mode="reflect")
    spectrum = np.fft.rfft(sliding_window_view(padded, N_FFT)[::STFT_HOP] * periodic_hann(N_FFT))
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    return (10.0 * np.log10(np.maximum(power @ mel_bank(), FLOOR))).astype(np.float32)


def repeat_pad(window: Waveform) -> Waveform:
    """Tiles what sounds before the trailing zeros of ``window`` [samples] as often as it fits whole."""
    if window[len(window) // 2 :].any():
        return window  # more than half of it sounds, which fits once
    sounding = np.flatnonzero(window)
    length = int(sounding[-1]) + 1 if sounding.size else len(window)
    tiled = np.tile(window[:length], len(window) // length)
    return np.pad(tiled, (0, len(window) - len(tiled)))


class Clap:
    """A CLAP model as an ear for sounds and sentences; implements ``auricle.types.TextEar``. Made by ``load``."""

    sample_rate = SAMPLE_RATE
    window = WINDOW
    hop = HOP
    classes: Sequence[str] = ()
    text_min_score = 0.2  # cosine: sounds and words that match are reported at 0.25 and above, others below 0.1

    def __init__(self, name: str, model: "ClapModel", tokenizer: "Tokenizer"):
        self.name = name
        self.dim: int = model.config.projection_dim
        self._model = model
        self._tokenizer = tokenizer

    def hear(self, waveform: Waveform) -> Heard:
        """Hears mono ``waveform`` [10 s + (k - 1) * 5 s, at 48 kHz] as unit vectors [k, dim]; no scores.

        One window at a time: on a CPU that is as fast as batches, and a vector is the same to the bit whatever is
        heard in the same call.

        Raises:
            ValueError: the waveform does not hold whole windows.
        """
        if waveform.ndim != 1 or len(waveform) < WINDOW or (len(waveform) - WINDOW) % HOP:
            raise ValueError(f"a waveform of shape {waveform.shape} does not hold whole windows")
        windows = sliding_window_view(waveform, WINDOW)[::HOP]
        return Heard(np.stack([self._embed_window(window) for window in windows]), None)

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeds ``texts`` as unit vectors [texts, dim], one at a time; nothing past a text's 77th token is read."""
        return np.array([self._embed_sentence(text) for text in texts], np.float32).reshape(-1, self.dim)

    def _embed_window(self, window: Waveform) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            mel = torch.from_numpy(log_mel(repeat_pad(window)))[None, None].to(self._model.device)
            return _unit(self._model.audio_projection(self._model.audio_model(mel).pooler_output))

    def _embed_sentence(self, text: str) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            tokens = torch.tensor([self._tokenizer.encode(text).ids], device=self._model.device)
            return _unit(self._model.text_projection(self._model.text_model(tokens).pooler_output))


def _unit(projected: "torch.Tensor") -> NDArray[np.float32]:
    """The one row of ``projected`` [1, dim] at length 1."""
    from torch.nn.functional import normalize

    return normalize(projected, dim=-1)[0].cpu().numpy()


def load(tag: str | None = None, *, path: str | PathLike[str] | None = None, device: str = "cpu") -> Clap:
    """Loads a CLAP model of the Hugging Face layout: ``config.json``, ``model.safetensors`` and ``tokenizer.json``.

    Args:
        tag: which published weights, one of ``CARD.weights``; None is the first. Fetched if they are not in the cache.
        path: a folder with the three files, as ``save_pretrained`` writes them, instead of published weights; the
            ear is then named ``clap@local-`` and the first digits of the network's SHA-256, wherever the folder is.
        device: where the network runs, in torch's words: "cpu", "cuda", "cuda:1", "mps".

    Raises:
        WeightsError: a file is missing or cannot be fetched, or the files are not those of an unfused CLAP model.
    """
    if path is not None:
        folder = Path(path).expanduser().resolve()
        files = folder / "config.json", folder / "tokenizer.json", folder / NETWORK
        if missing := [file.name for file in files if not file.is_file()]:
            raise WeightsError(
                f"{folder} holds no {' and no '.join(missing)}",
                "Write the model and its tokenizer there with save_pretrained; pickled weights are not read",
            )
        config, tokenizer, network = files
        with network.open("rb") as content:
            name = f"clap@local-{hashlib.file_digest(content, 'sha256').hexdigest()[:8]}"
    else:
        tag = tag or CARD.tag
        config, tokenizer = fetch_all(CARD.weights[tag])
        network = fetch(_sealed(CARD.weights[tag]))
        name = f"clap@{tag}"
    return Clap(name, _network(config, network, device), _tokenizer(tokenizer))


def _network(config: Path, weights: Path, device: str) -> "ClapModel":
    """The network that ``config`` describes, filled from ``weights`` (safetensors), ready to hear."""
    import torch  # first, so that its absence is what is reported
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers import ClapConfig, ClapModel
    from transformers.initialization import no_init_weights

    try:
        with torch.device(device), no_init_weights():
            model = ClapModel(ClapConfig.from_json_file(config))
    except Exception as error:  # a configuration is checked in many places, by errors of no common class
        raise WeightsError(f"{config} describes no CLAP model: {_first_line(error)}") from error
    if model.audio_model.config.enable_fusion or model.audio_model.config.num_mel_bins != BANDS:
        raise WeightsError(f"{config} is of a fused model, or one of another front-end", "Use an unfused CLAP model")
    try:
        missing, unknown = model.load_state_dict(load_file(weights, device), strict=False)
    except (SafetensorError, RuntimeError) as error:  # not safetensors; tensors of other shapes
        raise WeightsError(f"{weights} does not fit {config}: {_first_line(error)}") from error
    if odd := [*unknown, *(name for name in missing if not name.endswith(DERIVED))]:
        raise WeightsError(f"{weights} does not fit {config}: {len(odd)} tensors are missing or unknown, as {odd[0]}")
    return model.eval()


def _tokenizer(file: Path) -> "Tokenizer":
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the only class it raises
        raise WeightsError(f"{file} holds no tokenizer: {_first_line(error)}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def _sealed(beside: Sequence[Weights]) -> Weights:
    """The network's file under the checksum that the hub publishes for its commit: asked for once, then kept.

    The commit fixes the file; what is trusted, on first use, is the hub's word for it. Nothing is asked before the
    files ``beside`` are there, so that offline means offline.
    """

    def ask(target: Path, *_: Path) -> None:
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        try:
            published = get_hf_file_metadata(hf_hub_url(NETWORK_REPOSITORY, NETWORK, revision=NETWORK_REVISION))
            if not published.size or len(published.etag or "") != 64:
                raise ValueError(f"it publishes no SHA-256 for {NETWORK}")
        except Exception as error:  # the client's errors share no base class of their own
            raise WeightsError(
                f"{NETWORK_REPOSITORY} at {NETWORK_REVISION} does not answer: {_first_line(error)}",
                "Check the network, or load the model from a folder: path=FOLDER",
            ) from error
        target.write_text(json.dumps({"sha256": published.etag, "size": published.size}))

    seal = derived(f"clap-{NETWORK_REVISION[:12]}.json", beside, 1, ask)
    source = f"hf:{NETWORK_REPOSITORY}/{NETWORK}@{NETWORK_REVISION}"
    return Weights(f"clap-{NETWORK}", (source,), licence="Apache-2.0", **json.loads(seal.read_text()))


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
