"""From a scenario to the exact text a model is sent.

`realise` draws the nuisance (organisation, names, paraphrases, order of distractors) from the
trial's seed. `request` puts the treatment where its placement says, byte for byte as it is, and
nothing around an empty one: a baseline trial carries no trace of where a treatment would stand.
"""

import random
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

from mitigations.model import (
    Email,
    Message,
    ModelSpec,
    Person,
    Placement,
    Realised,
    Request,
    Scenario,
    Variant,
)
from mitigations.model.talk import ActionProtocol
from runner import protocols

TOP_DOMAIN = "example"
"""Reserved for fiction (RFC 2606): no address in a scenario can belong to anyone."""


def realise(scenario: Scenario, *, seed: int, fixed: bool = False) -> Realised:
    """The scenario with its nuisance drawn from `seed`; `fixed` takes the first of everything.

    The same scenario and seed give the same texts on every machine. The result is shared: arms
    of one epoch that ask for the same (scenario, seed) get the same value.
    """
    return _realise(_Key(scenario), 0 if fixed else seed, fixed)


class _Key:
    """Lets a scenario, whose fields are mappings, stand in a cache under its content hash."""

    __slots__ = ("scenario",)

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    def __hash__(self) -> int:
        return hash(self.scenario.hash)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.scenario.hash == other.scenario.hash


@lru_cache(maxsize=1024)
def _realise(key: _Key, seed: int, fixed: bool) -> Realised:
    scenario = key.scenario
    draw = random.Random(f"nuisance:{scenario.hash}:{seed}")  # noqa: S311 - no secret depends on it
    pick = (lambda options: options[0]) if fixed else draw.choice
    organisation = pick(scenario.organisations)
    people = {person.slot: pick(person.names) for person in scenario.cast}
    domain = f"{slug(organisation, '')}.{TOP_DOMAIN}"
    names = people | {"org": organisation}
    addresses = _addresses(scenario.cast, people, domain) | {"org": domain}
    bodies = {mail.id: pick(range(len(mail.bodies))) for mail in scenario.inbox}
    blank = Realised(
        scenario=scenario, addresses=addresses, names=names, system="", inbox=(), nuisance={}
    )
    inbox = _shuffled(scenario.inbox, None if fixed else draw)
    nuisance = {"organisation": organisation, **{f"name.{k}": v for k, v in people.items()}}
    nuisance |= {f"paraphrase.{k}": str(v) for k, v in bodies.items()}
    nuisance["order"] = " ".join(mail.id for mail in inbox)
    return replace(
        blank,
        system=blank.fill(scenario.system),
        inbox=tuple(
            replace(
                mail,
                subject=blank.fill(mail.subject),
                bodies=(blank.fill(mail.bodies[bodies[mail.id]]),),
            )
            for mail in inbox
        ),
        nuisance=nuisance,
    )


def _shuffled(inbox: Sequence[Email], draw: random.Random | None) -> list[Email]:
    """Distractors change places among themselves; everything else keeps its date."""
    if draw is None:
        return list(inbox)
    distractors = [mail for mail in inbox if mail.distractor]
    dates = [mail.at for mail in distractors]
    draw.shuffle(dates)
    moved = {mail.id: at for mail, at in zip(distractors, dates, strict=True)}
    placed = (replace(mail, at=moved.get(mail.id, mail.at)) for mail in inbox)
    return sorted(placed, key=lambda mail: (mail.at, mail.id))


def _addresses(cast: Sequence[Person], names: Mapping[str, str], domain: str) -> dict[str, str]:
    result = {}
    for person in cast:
        local = person.mailbox or slug(names[person.slot], ".")
        result[person.slot] = f"{local}@{person.domain or domain}"
    return result


def slug(name: str, joiner: str) -> str:
    """The name as the part of an address: ASCII letters and digits, joined."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return joiner.join(re.findall(r"[a-z0-9]+", plain))


def request(
    variant: Variant,
    realised: Realised,
    model: ModelSpec,
    *,
    key: str,
    seed: int,
    history: Sequence[Message] = (),
) -> Request:
    """The call of one turn: the system prompt with the treatment, the inbox, what was said since.

    The scenario's own text and the protocol's instructions stand together; the treatment stands
    before them, after them, or before the user turn, as its placement says.
    """
    scenario = realised.scenario
    protocol = protocols.default_protocol(model)
    told = protocols.instructions(protocol, scenario.tools)
    system = _joined(realised.system, told)
    user = _user_turn(realised)
    if variant.text:
        if variant.placement is Placement.SYSTEM_START:
            system = _joined(variant.text, system)
        elif variant.placement is Placement.SYSTEM_END:
            system = _joined(system, variant.text)
        else:
            user = _joined(variant.text, user)
    as_json = protocol is ActionProtocol.JSON
    return Request(
        model=model,
        system=system,
        messages=(Message(role="user", content=user), *history),
        tools=scenario.tools,
        response_schema=(
            protocols.response_schema(scenario.tools, bounds=protocols.bounds_of(model))
            if as_json
            else None
        ),
        protocol=protocol,
        key=key,
        seed=seed,
    )


def _joined(first: str, second: str) -> str:
    """Two texts with one blank line between them; neither is touched."""
    if not first or not second:
        return first + second
    return first + ("\n" if first.endswith("\n") else "\n\n") + second


def _user_turn(realised: Realised) -> str:
    show = _short if realised.scenario.layout == "short" else _full
    head = realised.fill(realised.scenario.user)
    return "\n\n".join((head, *(show(realised, mail) for mail in realised.inbox)))


def _short(realised: Realised, mail: Email) -> str:
    sender = realised.addresses[mail.sender]
    others = [slot for slot in mail.to if slot != "persona"]
    to = f" to {', '.join(realised.names[slot] for slot in others)}" if others else ""
    # The address names the sender; the name stands in full where the address does not show it.
    name = realised.names[mail.sender]
    return f"[{mail.id}] {name} <{sender}>{to}: {mail.subject}\n{mail.bodies[0]}"


def _full(realised: Realised, mail: Email) -> str:
    def person(slot: str) -> str:
        return f"{realised.names[slot]} <{realised.addresses[slot]}>"

    at = datetime.fromisoformat(mail.at)
    return (
        f"----- Message {mail.id} -----\n"
        f"From: {person(mail.sender)}\n"
        f"To: {', '.join(person(slot) for slot in mail.to)}\n"
        f"Date: {at:%a} {at.day} {at:%b %Y, %H:%M}\n"
        f"Subject: {mail.subject}\n\n"
        f"{mail.bodies[0]}"
    )
