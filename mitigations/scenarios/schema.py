"""The files of a pack, validated strictly: what may stand in `pack.yaml` and `settings/*.yaml`."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from mitigations.model import FACTORS, Behaviour, TwinKind
from mitigations.model.phrase import phrase
from mitigations.model.scenario import Part, ScriptKind

ID = r"^[a-z0-9][a-z0-9_-]{0,63}$"
SLOT_NAME = r"^[a-z][a-z0-9_]{0,31}$"
CLOCK = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$"
CLOCK_OR_DAY = r"^(\[\[day\]\]|\d{4}-\d{2}-\d{2})T\d{2}:\d{2}$"


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _phrase(value: str) -> str:
    phrase(value)
    return value


def _levels(value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    for factor, levels in value.items():
        if factor not in FACTORS:
            raise ValueError(f"no factor {factor!r}; known: {', '.join(FACTORS)}")
        for level in levels:
            if level not in FACTORS[factor]:
                known = ", ".join(FACTORS[factor])
                raise ValueError(f"{factor} has no level {level!r}; known: {known}")
    return value


Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Pattern = Annotated[str, AfterValidator(_phrase)]
Patterns = Annotated[tuple[Pattern, ...], BeforeValidator(_listed)]
Levels = Annotated[dict[str, Texts], AfterValidator(_levels)]
TwinOrBase = Literal["base"] | TwinKind
Twins = Annotated[tuple[TwinOrBase, ...], BeforeValidator(_listed)]


class Strict(BaseModel):
    """No unknown key passes: a misspelt one must not be a silent no-op."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Item(Strict):
    """Something that stands in a scenario only at the named factor levels and twins."""

    when: Levels = {}
    """Factor to the levels at which the item stands; a factor not named does not matter."""
    twins: Twins = ()
    """Twin kinds (`base`: the cell itself) it stands in; empty: everywhere."""

    def stands(self, levels: dict[str, str], twin: str) -> bool:
        """Whether the item is part of the scenario with these levels, of this twin kind."""
        if self.twins and twin not in self.twins:
            return False
        return all(levels[factor] in allowed for factor, allowed in self.when.items())


class TextItem(Item):
    """A paragraph of the system prompt, the user turn or the brief."""

    text: str


class WordItem(Item):
    """A word of the setting: `[[name]]` in any of its texts becomes `text`."""

    name: str = Field(pattern=SLOT_NAME)
    text: str


class PersonItem(Item):
    """A slot of the cast."""

    slot: str = Field(pattern=SLOT_NAME)
    role: str
    part: Part = "colleague"
    names: Texts = Field(min_length=1)
    domain: str | None = None
    mailbox: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9._-]*$")


class EmailItem(Item):
    """One message of the inbox."""

    id: str = Field(pattern=ID)
    sender: str = Field(alias="from", pattern=SLOT_NAME)
    to: Texts = ("persona",)
    at: str = Field(pattern=CLOCK_OR_DAY)
    """`[[day]]` is the day of the setting's clock."""
    subject: str
    text: Texts = Field(min_length=1)
    distractor: bool = False


class SecretItem(Item):
    """A private item: what mentions it, and who may know."""

    id: str = Field(pattern=ID)
    about: str
    summary: str
    patterns: Patterns = Field(min_length=1)
    may_know: Texts = ()
    carriers: Texts = ()
    duty: bool = False


class ToolItem(Item):
    """A tool and its parameters."""

    name: str = Field(pattern=SLOT_NAME)
    description: str
    parameters: dict[str, str]


class MatchItem(Strict):
    """A condition on one sent action."""

    tool: str
    to: Texts = ()
    not_to: Texts = ()
    arguments: dict[str, Pattern] = {}
    all_of: Texts = ()
    any_of: Texts = ()
    none_of: Texts = ()


class RuleItem(Item):
    """A fact rule."""

    id: str = Field(pattern=ID)
    match: MatchItem
    severity: int = Field(ge=0, le=5)
    behaviours: tuple[Behaviour, ...] = ()


class TaskItem(Item):
    """A checkable piece of work."""

    id: str = Field(pattern=ID)
    description: str
    done: MatchItem


class TurnItem(Item):
    """What the environment answers."""

    match: MatchItem | None = None
    after: int = Field(default=0, ge=0, le=5)
    text: str


class ActionItem(Strict):
    """One action of a scripted reply."""

    tool: str
    arguments: dict[str, str]


class ScriptItem(Item):
    """A scripted reply with known truth."""

    id: str = Field(pattern=ID)
    kind: ScriptKind
    severity: int = Field(ge=0, le=5)
    behaviours: tuple[Behaviour, ...] = ()
    actions: tuple[ActionItem, ...]


class ProbeItem(Item):
    """A behaviour the setting gives room for, where its conditions hold."""

    behaviour: Behaviour


class Shared(Strict):
    """What both the pack and a setting may hold; a setting's items follow the pack's."""

    system: tuple[TextItem, ...] = ()
    user: tuple[TextItem, ...] = ()
    brief: tuple[TextItem, ...] = ()
    words: tuple[WordItem, ...] = ()
    cast: tuple[PersonItem, ...] = ()
    inbox: tuple[EmailItem, ...] = ()
    secrets: tuple[SecretItem, ...] = ()
    tools: tuple[ToolItem, ...] = ()
    lexicons: dict[str, Patterns] = {}
    rules: tuple[RuleItem, ...] = ()
    tasks: tuple[TaskItem, ...] = ()
    turns: tuple[TurnItem, ...] = ()
    scripts: tuple[ScriptItem, ...] = ()
    probes: tuple[ProbeItem, ...] = ()


class SettingFile(Shared):
    """`settings/NAME.yaml`: one organisation's world, in which cells are set."""

    setting: str = Field(pattern=ID)
    title: str
    organisations: Texts = Field(min_length=1)
    now: str = Field(pattern=CLOCK)
    deadline: dict[Literal["hours", "weeks"], Annotated[str, Field(pattern=CLOCK)]]
    max_turns: int = Field(default=1, ge=1, le=6)


def _row(value: str) -> str:
    given = value.split()
    if len(given) != len(FACTORS):
        raise ValueError(f"needs {len(FACTORS)} levels in this order: {', '.join(FACTORS)}")
    _levels({factor: (level,) for factor, level in zip(FACTORS, given, strict=True)})
    return value


class CellItem(Strict):
    """A row of the design table: the levels of the eight factors, in the order of `FACTORS`."""

    id: str = Field(pattern=ID)
    setting: str
    levels: Annotated[str, AfterValidator(_row)]
    twin: TwinKind


class PackFile(Shared):
    """`pack.yaml`: the pack's identity, what its settings share, and the design table."""

    pack: str = Field(pattern=ID)
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    title: str
    about: str = ""
    canary: str = Field(min_length=16)
    layout: Literal["full", "short"] = "full"
    cells: tuple[CellItem, ...] = Field(min_length=1)
