from pathlib import Path

import pytest

from pipeline.data.batches import batches
from pipeline.data.examples import Example
from pipeline.data.tokenize import encode
from pipeline.gemma.tokenizer import Tokenizer
from tests.support.tokenizers import make_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return make_tokenizer(Path(tmp_path_factory.mktemp("tokenizer")))


def example(question: str, answer: str) -> Example:
    return Example(({"role": "user", "content": question}, {"role": "assistant", "content": answer}))


def test_an_encoded_example_reads_back_as_the_conversation(tokenizer: Tokenizer) -> None:
    (encoded,) = encode([example("What is Au?", "gold")], tokenizer).examples
    ids, learned = encoded.token_ids, encoded.learned
    assert ids[0] == tokenizer.bos_id
    assert (
        tokenizer.decode(ids[~learned][1:].tolist())
        == "<start_of_turn>user\nWhat is Au?<end_of_turn>\n<start_of_turn>model\n"
    )
    assert tokenizer.decode(ids[learned].tolist()) == "gold<end_of_turn>"
    assert ids[-1] == tokenizer.stop_ids[1]


def test_the_loss_looks_at_the_response_and_its_end_marker_only(tokenizer: Tokenizer) -> None:
    encoded = encode(
        [example("What is Au?", "gold"), example("Which planet is the largest?", "Jupiter")], tokenizer
    )
    seen = [
        tokenizer.decode(batch.labels[row][batch.sample_weight[row] == 1].tolist())
        for batch in batches(encoded, 2)
        for row in range(2)
    ]
    assert sorted(seen) == ["Jupiter<end_of_turn>", "gold<end_of_turn>"]
