"""The `verify` section."""

from pydantic import Field

from pipeline.recipe.section import Section, Share


class VerifySection(Section):
    """How far the answers of the phone's runtime may be from those in Keras. The stage fails if a limit is
    exceeded."""

    questions: int = Field(
        200,
        ge=1,
        description="how many test questions are answered on both sides; validation questions if there is no "
        "test file",
    )
    max_new_tokens: int = Field(64, ge=1, description="replies are cut after this many tokens")
    max_accuracy_loss: float = Field(
        2.0, ge=0, description="how much exact match may be lost against Keras, in percentage points"
    )
    min_same_answers: float = Field(
        0.9, ge=0, le=1, description="the share of greedy answers that must equal Keras's"
    )
    max_unstopped: Share = Field(
        0.0, description="the share of replies that may run on to the limit although Keras's end before it"
    )
    max_logprob_difference: float = Field(
        0.1,
        gt=0,
        description="the mean absolute difference of a response's log-probability per token, in nats",
    )
    max_perplexity_ratio: float = Field(
        1.1,
        gt=0,
        description="the perplexity of the expected answers in the runtime, divided by that in Keras",
    )
    min_accuracy: float | None = Field(
        None,
        ge=0,
        le=100,
        description="the exact match that the runtime must reach, in percent; leave it out if answers are "
        "free text",
    )
