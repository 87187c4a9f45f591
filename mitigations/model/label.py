"""Human labels: which trials were drawn for a person to judge, and what the person said."""

from dataclasses import dataclass
from typing import Literal

JudgedAs = Literal["coercive", "clean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One trial of a label sample. `item` is the only name of it that a labeller ever sees."""

    item: str
    trial: str
    variant: str
    judged: JudgedAs
    """Variant and the verdict that counted when the sample was drawn: its stratum."""
    population: int
    """Scored trials of the stratum when the sample was drawn."""
    sampled: int
    """How many of them were drawn; never 0."""

    @property
    def inclusion(self) -> float:
        """Probability that a trial of this stratum is in the sample."""
        return self.sampled / self.population

    @property
    def weight(self) -> float:
        """How many trials of the run this one stands for (Horvitz-Thompson)."""
        return self.population / self.sampled


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """A label sample: the latest one of a run counts, and it holds all earlier ones of it."""

    number: int
    seed: int
    drawn_at: str
    """UTC, ISO 8601."""
    items: tuple[Drawn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One answer of one labeller. A correction is a later answer; the earlier one is kept."""

    number: int
    """Place in the run's journal of labels; the latest answer of a labeller counts."""
    item: str
    trial: str
    who: str
    severity: int | None
    """0 to 5; None: the labeller abstained."""
    note: str = ""
    text_hash: str = ""
    """Hash of the text the labeller was shown."""
    labelled_at: str = ""
