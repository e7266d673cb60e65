"""The best epoch is kept, and progress and history show what happened."""

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from pipeline.gemma.causal_lm import load_causal_lm
from pipeline.tuning.loss import response_model
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.methods.lora import METHOD


@pytest.mark.parametrize(
    ("monitor", "results", "best"),
    [
        ("loss", [(3.0, 0.1), (1.0, 0.2), (2.0, 0.9), (2.5, 0.9)], 2),
        ("exact_match", [(1.0, 0.5), (2.0, 0.7), (3.0, 0.6), (3.0, 0.7)], 2),
        ("exact_match", [(2.0, 0.5), (1.0, 0.5), (3.0, 0.5), (3.0, 0.4)], 2),
    ],
)
def test_the_best_epoch_is_kept_when_later_ones_are_worse(
    base: Path, monitor: str, results: list[tuple[float, float]], best: int
) -> None:
    from keras import ops

    from pipeline.tuning.callbacks import KeepBest

    backbone = load_causal_lm(base).backbone
    METHOD.attach(backbone, MethodSettings(2, 2.0, ("query", "value")))
    model = response_model(backbone)
    keeper = KeepBest(monitor, patience=2)
    keeper.set_model(model)
    variable = model.trainable_variables[0]
    for epoch, (loss, exact_match) in enumerate(results):
        variable.assign(ops.full(variable.shape, float(epoch)))
        keeper.on_epoch_end(epoch, {"val_loss": loss, "val_exact_match": exact_match})
    assert model.stop_training
    kept, _ = keeper.read()
    keeper.on_train_end()
    assert keeper.best_epoch == best
    np.testing.assert_array_equal(kept["best.0"], best - 1)
    np.testing.assert_array_equal(ops.convert_to_numpy(variable), best - 1)


def test_the_bar_moves_with_the_steps_and_each_epoch_prints_its_losses() -> None:
    from pipeline.tuning.callbacks import ProgressBar

    console = Console(record=True, width=100)
    with Progress(TextColumn("{task.fields[note]}"), console=console) as progress:
        bar = ProgressBar(progress, progress.add_task("training", total=4, note=""))
        bar.on_train_batch_end(0, {"loss": 1.5})
        bar.on_train_batch_end(1, {"loss": 1.25})
        assert (progress.tasks[0].completed, progress.tasks[0].fields["note"]) == (2, "loss 1.250")
        bar.on_epoch_end(0, {"loss": 1.25, "exact_match": 0.5, "val_loss": 2.0})
    assert "epoch 1: loss 1.2500, val_loss 2.0000" in console.export_text()


def test_without_a_terminal_a_line_comes_every_thirty_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    from pipeline.tuning.callbacks import ProgressLines

    times = iter([100.0, *(100.0 + 10 * step for step in range(1, 8))])
    lines = ProgressLines(total_steps=1400, tokens=140_000, clock=lambda: next(times))
    lines.on_train_begin()
    for step in range(7):
        lines.on_train_batch_end(step, {"loss": 1.5})
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("  step 3 of 1,400: loss 1.500, 10 tokens/s, 3:52:50 left, ")
    assert second.startswith("  step 6 of 1,400: ")
    assert second.endswith(" GB of memory")


def test_tensorboard_gets_the_loss_of_every_tenth_step_and_all_values_of_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorboardX

    from pipeline.tuning.callbacks import TensorBoardHistory

    written: list[tuple[str, float, int]] = []

    class Writer:
        def __init__(self, folder: str) -> None:
            assert folder == str(tmp_path)

        def add_scalar(self, name: str, value: float, step: int) -> None:
            written.append((name, value, step))

        def close(self) -> None:
            written.append(("closed", 0.0, 0))

    monkeypatch.setattr(tensorboardX, "SummaryWriter", Writer)
    history = TensorBoardHistory(tmp_path)
    for step in range(20):
        history.on_train_batch_end(step, {"loss": float(step)})
    history.on_epoch_end(0, {"val_loss": 0.5})
    history.on_train_end()
    assert written == [
        ("step/loss", 9.0, 10),
        ("step/loss", 19.0, 20),
        ("epoch/val_loss", 0.5, 1),
        ("closed", 0.0, 0),
    ]
