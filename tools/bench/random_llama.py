"""A Hugging Face folder with a Llama of random bfloat16 weights, in two shards: random_llama.py OUT TOKENIZER SIZE.

TOKENIZER is a tokenizer.json or a SentencePiece tokenizer.model that llama.cpp's converter knows, or it refuses.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np

SIZES = {
    "full": {"hidden_size": 1024, "intermediate_size": 2816, "num_hidden_layers": 20},
    "small": {"hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 2},
}


def make(folder: Path, tokenizer: Path, size: str) -> int:
    """Write the folder; the number of parameters."""
    vocab_size, special = _vocabulary(tokenizer)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **SIZES[size],
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
        "head_dim": SIZES[size]["hidden_size"] // 16,
        "vocab_size": vocab_size,
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "bos_token_id": special["bos_token"][0],
        "eos_token_id": special["eos_token"][0],
    }
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    shutil.copyfile(tokenizer, folder / tokenizer.name)
    names = {name: token for name, (_, token) in special.items()}
    kind = "PreTrainedTokenizerFast" if tokenizer.suffix == ".json" else "LlamaTokenizer"
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": kind, "add_bos_token": False, **names})
    )
    shapes = _shapes(config)
    half = len(shapes) // 2
    index = {}
    for number, names_of_shard in enumerate((list(shapes)[:half], list(shapes)[half:]), 1):
        file = f"model-{number:05}-of-00002.safetensors"
        _write_shard(folder / file, {name: shapes[name] for name in names_of_shard}, seed=number)
        index.update(dict.fromkeys(names_of_shard, file))
    total = sum(int(np.prod(shape)) for shape in shapes.values())
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": 2 * total}, "weight_map": index})
    )
    return total


def _vocabulary(tokenizer: Path) -> tuple[int, dict[str, tuple[int, str]]]:
    """How many tokens there are, and id and text of the special ones."""
    if tokenizer.suffix != ".json":
        from sentencepiece import SentencePieceProcessor

        model = SentencePieceProcessor(model_file=str(tokenizer))
        ids = {"bos_token": model.bos_id(), "eos_token": model.eos_id(), "unk_token": model.unk_id()}
        return model.vocab_size(), {name: (number, model.id_to_piece(number)) for name, number in ids.items()}
    content = json.loads(tokenizer.read_text(encoding="utf-8"))
    added = [(entry["id"], entry["content"]) for entry in content["added_tokens"]]
    size = max(*content["model"]["vocab"].values(), *(number for number, _ in added)) + 1
    return size, dict.fromkeys(("bos_token", "eos_token", "unk_token"), added[0])


def _shapes(config: dict[str, object]) -> dict[str, tuple[int, ...]]:
    hidden, ffn, vocab = (int(str(config[key])) for key in ("hidden_size", "intermediate_size", "vocab_size"))
    kv = hidden // 4
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (vocab, hidden),
        "lm_head.weight": (vocab, hidden),
    }
    for layer in range(int(str(config["num_hidden_layers"]))):
        at = f"model.layers.{layer}"
        shapes |= {f"{at}.{name}_layernorm.weight": (hidden,) for name in ("input", "post_attention")}
        shapes |= {f"{at}.self_attn.{name}_proj.weight": (hidden, hidden) for name in "qo"}
        shapes |= {f"{at}.self_attn.{name}_proj.weight": (kv, hidden) for name in "kv"}
        shapes |= {f"{at}.mlp.{name}_proj.weight": (ffn, hidden) for name in ("gate", "up")}
        shapes[f"{at}.mlp.down_proj.weight"] = (hidden, ffn)
    return shapes | {"model.norm.weight": (hidden,)}


def _write_shard(path: Path, shapes: dict[str, tuple[int, ...]], seed: int) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in shapes.items():
        end = offset + 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    random = np.random.default_rng(seed)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for shape in shapes.values():
            rest = int(np.prod(shape))
            while rest:
                count = min(rest, 1 << 20)
                values = random.standard_normal(count, np.float32) * np.float32(0.02)
                file.write((values.view(np.uint32) >> 16).astype("<u2").tobytes())
                rest -= count


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
