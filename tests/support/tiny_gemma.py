"""A tiny Gemma 3 in a Hugging Face folder that has learnt three answers by heart, and transformers' own
numbers for it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.families.turns import CHAT
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.convert.export import export_litertlm
from pipeline.litert.model_spec import ModelSpec
from tests.support.finished_run import shared
from tests.support.tokenizers import make_tokenizer

ANSWERS = {
    "What is the symbol of gold?": "It is Au.",
    "Which planet is the largest?": "Jupiter.\nIt is the largest planet.",
    "How many protons has carbon?": "Carbon has six protons.",
}
STEPS = 120
SPEC = ModelSpec(
    recipe="fp32",
    prefill_lengths=(16, 32),
    context_length=160,
    temperature=0.7,
    top_k=40,
    top_p=0.9,
    description="Grüße from a test",
)


def write_tiny_gemma(folder: Path) -> None:
    """Train it (some seconds) and write the folder."""
    import torch
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    folder.mkdir(parents=True)
    tokenizer = make_tokenizer(folder)
    torch.manual_seed(0)
    config = Gemma3TextConfig(
        vocab_size=tokenizer.vocabulary_size,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        sliding_window=24,
        max_position_embeddings=1024,
        pad_token_id=tokenizer.pad_id,
        bos_token_id=tokenizer.bos_id,
        eos_token_id=tokenizer.stop_ids[0],
        layer_types=["sliding_attention", "full_attention"],
    )
    model = Gemma3ForCausalLM(config)
    rows = [
        (
            [tokenizer.bos_id, *tokenizer.encode(CHAT.render_question(question))],
            tokenizer.encode(CHAT.render_answer(answer)),
        )
        for question, answer in ANSWERS.items()
    ]
    length = max(len(prompt) + len(answer) for prompt, answer in rows)
    ids = torch.tensor(
        [prompt + answer + [0] * (length - len(prompt) - len(answer)) for prompt, answer in rows]
    )
    labels = ids.clone()
    for row, (prompt, _) in enumerate(rows):
        labels[row, : len(prompt)] = -100
    labels[ids == 0] = -100
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(STEPS):
        loss = model(input_ids=ids, attention_mask=(ids != 0).long(), labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.generation_config.eos_token_id = list(tokenizer.stop_ids)
    model.eval().save_pretrained(folder)
    settings: dict[str, Any] = {
        "tokenizer_class": "GemmaTokenizer",
        "add_bos_token": True,
        "add_eos_token": False,
    }
    settings |= {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "chat_template.jinja").write_text(CHAT.template, encoding="utf-8")


class Reference:
    """transformers' numbers for a Hugging Face folder."""

    def __init__(self, folder: Path, kind: Any = None) -> None:
        from transformers import Gemma3ForCausalLM

        self.tokenizer = Tokenizer.of_preset(folder)
        kind = kind or Gemma3ForCausalLM
        self.model = kind.from_pretrained(folder, attn_implementation="eager").eval()

    def logprobs(self, prompt: str, target: str) -> list[float]:
        """Log-probability of each token of target, in nats."""
        import torch

        before, after = [self.tokenizer.bos_id, *self.tokenizer.encode(prompt)], self.tokenizer.encode(target)
        with torch.no_grad():
            scores = self.model(input_ids=torch.tensor([before + after])).logits[0].log_softmax(-1)
        return [scores[len(before) - 1 + place, token].item() for place, token in enumerate(after)]

    def greedy(self, ids: Sequence[int], count: int) -> list[int]:
        """Ids that it adds, greedily, up to a stop token or `count` of them."""
        import torch

        found = self.model.generate(torch.tensor([list(ids)]), max_new_tokens=count, do_sample=False)
        added: list[int] = found[0, len(ids) :].tolist()
        return added


def tiny_folder(factory: pytest.TempPathFactory) -> Path:
    """The folder, made once for all workers."""
    return shared(factory, "tiny_gemma", write_tiny_gemma)


def converted(factory: pytest.TempPathFactory, spec: ModelSpec, changed: Path | None = None) -> Path:
    """The folder, or a changed one, converted by a recipe, once for all workers."""
    source = changed or tiny_folder(factory)

    def make(folder: Path) -> None:
        folder.mkdir()
        export_litertlm(source, folder / "model.litertlm", spec, folder / "convert.log")

    name = f"tiny_{spec.recipe}" + (f"_{changed.name}" if changed else "")
    return shared(factory, name, make) / "model.litertlm"
