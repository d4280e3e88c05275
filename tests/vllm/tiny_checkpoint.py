"""Makes a Qwen3-VL checkpoint small enough to serve in a test: right in every shape, random in every weight.

It shows that messages, pictures, constraints and log-probabilities pass unharmed; what it says means nothing. Weights
are drawn from a fixed seed and kept in float32, so that two engines which load it can be compared to four decimals.

    python tests/vllm/tiny_checkpoint.py FOLDER
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3VLConfig, Qwen3VLForConditionalGeneration

CONTEXT: Final = 8192  # tokens the positions reach; the server is started with less
PATCH: Final = 16  # px; two by two patches make one token, so a token is a 32 px square
SMALLEST, LARGEST = 32 * 32, 512 * 512  # pixel areas between which pictures are scaled

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
VISION_START, VISION_END, IMAGE, VIDEO = "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"
SPECIAL: Final = (END_OF_TEXT, TURN_START, TURN_END, VISION_START, VISION_END, IMAGE, VIDEO)

# What the merges of the tokenizer are learnt from: labels fall into several tokens, as they do in the real one.
CORPUS: Final = (
    "This image shows psoriasis. This image shows melanocytic nevi. This image shows lichen planus.",
    "Reference 1: acne vulgaris. Identify the disease in this new image. Describe the lesion: papule, plaque, scale.",
)

# The shape of Qwen's own template: a turn is opened, written and closed; a picture is one placeholder between marks.
TEMPLATE: Final = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\n' }}"
    "{% if message.content is string %}{{ message.content }}"
    "{% else %}{% for part in message.content %}"
    "{% if part.type == 'text' %}{{ part.text }}{% else %}<|vision_start|><|image_pad|><|vision_end|>{% endif %}"
    "{% endfor %}{% endif %}"
    "{{ '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def write_checkpoint(folder: Path, seed: int = 0) -> Path:
    """Write weights, tokenizer, chat template and processors into `folder` (made if missing) and return it. About 1 s."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    torch.manual_seed(seed)
    model: Any = Qwen3VLForConditionalGeneration(_configuration(tokenizer))
    model.generation_config.eos_token_id = tokenizer.convert_tokens_to_ids(TURN_END)
    model.float().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for kind, name in (("image", "Qwen2VLImageProcessor"), ("video", "Qwen3VLVideoProcessor")):
        prefix = "" if kind == "image" else "video_"
        settings = {f"{kind}_processor_type": name, "processor_class": "Qwen3VLProcessor", **_PATCHES}
        (folder / f"{prefix}preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


_PATCHES: Final[Mapping[str, Any]] = {
    "patch_size": PATCH,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "size": {"shortest_edge": SMALLEST, "longest_edge": LARGEST},  # areas, whatever the names say
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}

_VISION: Final[Mapping[str, Any]] = {
    "depth": 2,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_heads": 4,
    "patch_size": PATCH,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "out_hidden_size": 128,
    "num_position_embeddings": 256,
    "deepstack_visual_indexes": [0, 1],
    "initializer_range": 0.2,
}


def _tokenizer() -> Any:
    """Byte-level BPE: any text can be spelled, because every byte is a token."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=len(alphabet) + 90, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(CORPUS, trainer)
    untyped: Any = PreTrainedTokenizerFast
    fast = untyped(tokenizer_object=bpe, eos_token=TURN_END, pad_token=END_OF_TEXT)
    fast.chat_template = TEMPLATE
    return fast


def _configuration(tokenizer: Any) -> Qwen3VLConfig:
    """Two layers of everything, and the same token numbers as the tokenizer."""
    number = tokenizer.convert_tokens_to_ids
    rope = {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [6, 5, 5], "mrope_interleaved": True}
    text = {
        "vocab_size": -(-len(tokenizer) // 64) * 64,  # rounded up, as vLLM pads it
        "hidden_size": 128,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "max_position_embeddings": CONTEXT,
        "rope_scaling": rope,
        "rope_parameters": rope,
        "tie_word_embeddings": True,
        "bos_token_id": number(END_OF_TEXT),
        "eos_token_id": number(TURN_END),
        "pad_token_id": number(END_OF_TEXT),
        # Ten times the usual spread: with less, every next token is about equally likely and nothing can be told apart.
        "initializer_range": 0.2,
    }
    return Qwen3VLConfig(
        text_config=text,
        vision_config=dict(_VISION),
        image_token_id=number(IMAGE),
        video_token_id=number(VIDEO),
        vision_start_token_id=number(VISION_START),
        vision_end_token_id=number(VISION_END),
        tie_word_embeddings=True,
    )


def main() -> None:
    """Write a checkpoint into the folder named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    write_checkpoint(parser.parse_args().folder)


if __name__ == "__main__":
    main()
