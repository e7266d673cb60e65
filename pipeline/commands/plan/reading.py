"""From a recipe to the numbers that a plan needs, without a download of the weights."""

from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from pipeline.data.checks import check_files
from pipeline.data.examples import Example
from pipeline.data.faults import Faults
from pipeline.data.policy import RowPolicy
from pipeline.data.sources import Split, find_files
from pipeline.data.split import mix_replay, prompts_of, split_validation
from pipeline.data.tokenize import EncodedExamples, encode
from pipeline.errors import InputError
from pipeline.families.family import GemmaShape
from pipeline.gemma.gguf_preset import is_gguf
from pipeline.gemma.hubs import fetch_description
from pipeline.gemma.presets import check_family
from pipeline.gemma.tokenizer import Tokenizer, tokenizer_file
from pipeline.plan.workload import Workload
from pipeline.recipe.schema import Config
from pipeline.recipe.section import DEMO
from pipeline.recipe.workload import workload
from pipeline.run.folder import Run
from pipeline.tuning.devices import SMALL_MODEL, choose_compute


@dataclass(frozen=True)
class Planned:
    """What a recipe asks for.

    Attributes:
        preset: folder with at least the configuration and the tokenizer of the base.
        shape: of the base.
        work: the training, in the dtype that the recipe names or that the machine gets.
        validation: how many examples it has.
    """

    preset: Path
    shape: GemmaShape
    work: Workload
    validation: int

    @property
    def tokenizer_bytes(self) -> int:
        """Size of the tokenizer file."""
        return tokenizer_file(self.preset).stat().st_size


def read(config: Config, root: Path, *, on_accelerator: bool = False) -> Planned:
    """Read the configuration, the tokenizer and the examples of a recipe.

    Args:
        config: the recipe.
        root: its run folder, which may have the preset already.
        on_accelerator: whether it trains on a GPU or TPU elsewhere; otherwise, this machine decides.

    Raises:
        InputError: the base or the examples are unusable, or the base has to be downloaded first.
        PocketGemmaError: the hub did not respond.
    """
    preset = _preset(config, root)
    shape = replace(check_family(preset), vision=False)
    tokenizer = Tokenizer.of_preset(preset)
    train, validation = _examples(config, tokenizer)
    section = config.finetune
    settings = section.method_settings(config.convert.recipe if section.rounds_in_training else "")
    dtype: str = section.dtype
    if not on_accelerator:
        dtype = choose_compute(section.backend, section.dtype, shape.parameters).dtype
    elif dtype == "auto":
        dtype = "bfloat16" if shape.parameters >= SMALL_MODEL else "float32"
    work = workload(section, settings, shape, dtype, train, validation)
    return Planned(preset, shape, work, len(validation))


def _preset(config: Config, root: Path) -> Path:
    """A folder with the configuration and the tokenizer of a recipe's base."""
    preset = config.model.preset
    if preset == DEMO:
        return Path(str(resources.files("pipeline.demo") / "base"))
    path = Path(preset)
    if "://" not in preset and not is_gguf(path):
        return path
    if "://" not in preset and not path.exists():
        raise InputError(f"{preset}: no such file; set model.preset to a folder or a GGUF file")
    downloaded = _downloaded(preset, root)
    if downloaded:
        return downloaded
    folder = None if "://" not in preset else fetch_description(preset)
    if folder is None:
        raise InputError(
            f"{preset}: its shape is known once it is downloaded; run: pocketgemma download with the same "
            "options"
        )
    return folder


def _downloaded(preset: str, root: Path) -> Path | None:
    """The preset in the run folder, if it is the recipe's."""
    if not root.is_dir():
        return None
    run = Run(root)
    if not run.files.stage("download").manifest.exists():
        return None
    same = run.manifest("download").details.get("preset") in (preset, Path(preset).name)
    return run.files.download.preset if same else None


def _examples(config: Config, tokenizer: Tokenizer) -> tuple[EncodedExamples, EncodedExamples]:
    """The training and validation examples that `prepare` would write."""
    data, faults = config.data, Faults()

    def of(name: str, split: Split) -> list[Example]:
        sources = getattr(data, name)
        if not sources:
            return []
        return check_files(find_files(sources, split), _policy(config, name), tokenizer, faults).examples

    train, validation, replay = of("train", "train"), of("validation", "validation"), of("replay", "train")
    faults.raise_if_any()
    if not train:
        raise InputError("data.train: no training examples are left; run: pocketgemma prepare")
    seed, chat = config.finetune.seed, tokenizer.chat
    if not data.validation:
        replayed = prompts_of(replay, chat)
        train, validation = split_validation(train, data.validation_share, seed, chat, replayed)
    train = list(mix_replay(train, replay, data.replay_share, seed).examples)
    return encode(train, tokenizer), encode(validation, tokenizer)


def _policy(config: Config, name: str) -> RowPolicy:
    policy = config.data.policy
    return replace(policy, columns=replace(policy.columns, optional=True)) if name == "replay" else policy
