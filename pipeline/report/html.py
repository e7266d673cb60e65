"""The page about a run: one HTML file without scripts, which loads nothing."""

from datetime import datetime

from pipeline.inspect.render import size
from pipeline.report.charts import accuracy_curve, loss_curve
from pipeline.report.facts import Facts
from pipeline.run.lineage import short
from pipeline.tuning.forgetting import in_words

TEMPLATE = "report.html.j2"

VERDICTS = {
    "passed": "Verified",
    "failed": "Refused",
    "undecided": "Undecided",
}


def render(facts: Facts) -> str:
    """The page as text. The same facts give the same text, and everything in it that comes from data is
    escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("pipeline.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "bytes": size,
        "count": lambda number: f"{number:,}",
        "day": lambda moment: _moment(moment).strftime("%Y-%m-%d"),
        "minute": lambda moment: _moment(moment).strftime("%Y-%m-%d %H:%M UTC"),
        "duration": _duration,
        "sentence": _sentence,
        "short": short,
        "perplexity": in_words,
        "percent": lambda value: f"{value:.1f} %",
    }
    training = facts.training
    charts = []
    if training:
        charts = [draw(training.history, training.best_epoch) for draw in (loss_curve, accuracy_curve)]
    return environment.get_template(TEMPLATE).render(
        facts=facts,
        verdicts=VERDICTS,
        charts=[chart for chart in charts if chart],
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _sentence(text: str) -> str:
    """With a capital letter, unless it starts with a path."""
    return text if "/" in text.split(" ", 1)[0] else text[:1].upper() + text[1:]


def _duration(seconds: float) -> str:
    """In seconds, minutes and seconds, minutes, or hours and minutes."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 600:
        return f"{round(seconds) // 60} min {round(seconds) % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
