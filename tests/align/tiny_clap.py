"""A CLAP model of the real architecture and under a million random weights, in the Hugging Face layout."""

from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import RobertaProcessing
from tokenizers.trainers import BpeTrainer
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, PreTrainedTokenizerFast

SENTENCES = (
    "a dog barks in the distance",
    "heavy rain falls on a metal roof",
    "a church bell rings slowly while people talk",
    "a violin plays a sad melody",
)
SPECIAL = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "mask_token": "<mask>"}


def build(folder: Path, seed: int = 0) -> Path:
    """Writes config.json, model.safetensors, tokenizer.json and preprocessor_config.json to ``folder``, returned.

    The front-end and the way through the network are those of the published unfused models (four Swin stages, shifted
    windows, a projection to 512), only narrower. The weights are spread so that different sounds and sentences get
    clearly different vectors, and are the same for the same ``seed``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    tokenizer.save_pretrained(folder)
    config = ClapConfig(
        audio_config={
            "patch_embeds_hidden_size": 8,
            "hidden_size": 64,  # 8 doubled by each of three mergings
            "depths": [2, 1, 1, 1],
            "num_attention_heads": [1, 2, 2, 4],
        },
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "max_position_embeddings": 96,
        },
    )
    model = ClapModel(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:  # biases and norms stay as they are
                weight.normal_(0.0, 3.0 * weight[0].numel() ** -0.5, generator=generator)
        statistics = dict(model.audio_model.audio_encoder.batch_norm.named_buffers())
        statistics["running_mean"].fill_(-40.0)  # dB, as of ordinary sounds
        statistics["running_var"].fill_(100.0)
    model.save_pretrained(folder)
    ClapFeatureExtractor(frequency_min=50, frequency_max=14000, truncation="rand_trunc").save_pretrained(folder)
    return folder


def _tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with RoBERTa's special tokens, trained on ``SENTENCES``."""
    tokenizer = Tokenizer(BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = ByteLevel()
    trainer = BpeTrainer(
        vocab_size=320,
        special_tokens=list(SPECIAL.values()),
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=77, **SPECIAL)
