"""The `verify` section."""

from pydantic import Field

from pipeline.recipe.section import Section, Share


class VerifySection(Section):
    """How far the answers of the phone's runtime may be from those in Keras. The stage fails if a limit is
    exceeded. Limits on accuracy and perplexity are compared with a 95 % confidence interval."""

    questions: int = Field(
        200,
        ge=1,
        description="how many test questions are answered on both sides at first; validation questions if "
        "there is no test file, and training questions if there are neither",
    )
    max_questions: int = Field(
        1000,
        ge=1,
        description="if the first questions are not enough to decide, more are asked, up to this many in "
        "total",
    )
    max_new_tokens: int = Field(64, ge=1, description="replies are cut after this many tokens")
    max_runtime_noise: float = Field(
        2.0,
        gt=1,
        description="the largest mean difference between the log-probabilities of the runtime and of Keras "
        "with the numbers that the file stores, as a multiple of the effect of float32 rounding on the same "
        "answers",
    )
    max_unstopped: Share = Field(
        0.0,
        description="the share of replies that may reach the length limit although Keras's end before it",
    )
    max_accuracy_loss: float = Field(
        2.0, ge=0, description="the maximum loss of exact match through quantization, in percentage points"
    )
    max_perplexity_ratio: float = Field(
        1.1,
        gt=1,
        description="the maximum perplexity of the expected answers in the runtime, divided by that in Keras",
    )
    min_accuracy: float | None = Field(
        None,
        ge=0,
        le=100,
        description="the exact match that the runtime must reach, in percent; leave it out if answers are "
        "free text",
    )
    accept_undecided: bool = Field(
        False,
        description="continue if there are too few questions to tell whether quantization stays within its "
        "limits; otherwise the stage stops with exit code 3",
    )
