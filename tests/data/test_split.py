import pytest

from pipeline.data.examples import Example
from pipeline.data.split import mix_replay, split_validation
from pipeline.errors import InputError
from pipeline.families.turns import CHAT


def example(prompt: str, response: str = "A") -> Example:
    return Example(({"role": "user", "content": prompt}, {"role": "assistant", "content": response}))


EXAMPLES = [example(f"question {number // 2}", f"answer {number}") for number in range(400)]


def test_validation_gets_its_share_and_nothing_is_lost() -> None:
    train, validation = split_validation(EXAMPLES, 0.1, 0, CHAT)
    assert 36 <= len(validation) <= 44
    assert sorted(e.response for e in train + validation) == sorted(e.response for e in EXAMPLES)


def test_the_same_prompt_never_lies_on_both_sides() -> None:
    for seed in range(5):
        train, validation = split_validation(EXAMPLES, 0.2, seed, CHAT)
        assert not {e.prompt(CHAT) for e in train} & {e.prompt(CHAT) for e in validation}


def test_the_split_depends_on_the_seed_alone() -> None:
    assert split_validation(EXAMPLES, 0.1, 1, CHAT) == split_validation(EXAMPLES, 0.1, 1, CHAT)
    assert split_validation(EXAMPLES, 0.1, 1, CHAT) != split_validation(EXAMPLES, 0.1, 2, CHAT)


def test_more_examples_move_few_of_the_old_ones() -> None:
    before = {e.prompt(CHAT) for e in split_validation(EXAMPLES, 0.1, 0, CHAT)[1]}
    more = [*EXAMPLES, *(example(f"new {number}") for number in range(40))]
    after = {e.prompt(CHAT) for e in split_validation(more, 0.1, 0, CHAT)[1]}
    assert len(before - after) <= 4


def test_a_small_share_of_few_examples_still_sets_one_prompt_aside() -> None:
    train, validation = split_validation([example("a"), example("b")], 0.01, 0, CHAT)
    assert (len(train), len(validation)) == (1, 1)


def test_where_no_prompt_can_be_set_aside_the_message_says_why_and_what_to_set() -> None:
    for train, prompts, why in (
        ([example("a", "1"), example("a", "2")], (), "there is only one prompt, so no example"),
        (
            [example("a"), example("b")],
            [example(name).prompt(CHAT) for name in "ab"],
            "replay trains on too many of the prompts",
        ),
    ):
        with pytest.raises(InputError, match=why) as caught:
            split_validation(train, 0.05, 0, CHAT, prompts)
        assert "set data.validation_share: 0 to train without validation" in str(caught.value)
        assert split_validation(train, 0, 0, CHAT, prompts) == (train, [])


def test_no_share_sets_nothing_aside() -> None:
    assert split_validation(EXAMPLES, 0.0, 0, CHAT) == (EXAMPLES, [])


def test_a_prompt_learned_from_replay_is_not_set_aside() -> None:
    prompts = {e.prompt(CHAT) for e in EXAMPLES[:300]}
    _, validation = split_validation(EXAMPLES, 0.2, 0, CHAT, prompts)
    assert validation
    assert not prompts & {e.prompt(CHAT) for e in validation}


@pytest.mark.parametrize("share", [0.1, 0.33, 0.5])
def test_replay_makes_up_the_wanted_share(share: float) -> None:
    mix = mix_replay(EXAMPLES, [example(f"old {n}") for n in range(1000)], share, seed=0)
    assert mix.share == pytest.approx(share, abs=0.002)
    replayed = [e for e in mix.examples if e.tags == {"replay": "yes"}]
    assert len(replayed) == mix.replay == len({e.prompt(CHAT) for e in replayed})
    assert mix.times == 1
    assert sorted(e.response for e in mix.examples if not e.tags) == sorted(e.response for e in EXAMPLES)


def test_a_small_replay_file_is_repeated_evenly() -> None:
    mix = mix_replay(EXAMPLES, [example(f"old {n}") for n in range(30)], 0.33, seed=0)
    times = [
        sum(e.prompt(CHAT) == old for e in mix.examples)
        for old in {e.prompt(CHAT) for e in mix.examples if e.tags}
    ]
    assert (mix.replay, len(times), max(times), mix.times) == (197, 30, 7, 7)
    assert min(times) == 6


def test_replay_lies_among_the_others_and_the_order_depends_on_the_seed_alone() -> None:
    old = [example(f"old {n}") for n in range(400)]
    mix = mix_replay(EXAMPLES, old, 0.5, seed=0)
    assert 150 < sum(bool(e.tags) for e in mix.examples[:400]) < 250
    assert mix == mix_replay(EXAMPLES, old, 0.5, seed=0)
    assert mix != mix_replay(EXAMPLES, old, 0.5, seed=1)


def test_without_replay_only_the_examples_are_learned() -> None:
    mix = mix_replay(EXAMPLES, [], 0.33, seed=0)
    assert (mix.replay, mix.times, mix.share, len(mix.examples)) == (0, 0, 0.0, len(EXAMPLES))


def test_other_tags_of_a_replayed_example_stay() -> None:
    old = Example(example("old").messages, "old.jsonl line 1", {"kind": "symbol"})
    mix = mix_replay([example("a")], [old], 0.5, seed=0)
    assert [e.tags for e in mix.examples if e.tags] == [{"kind": "symbol", "replay": "yes"}]
