"""Variants, studies and ablations as text that people read and edit."""

from collections.abc import Sequence

import yaml

from mitigations.model import Placement, Variant, VariantKind
from variants.ablate import Ablation, child_id
from variants.factorial import Alias, Design

TEMPLATE = """\
---
id: {id}
title: {id}
kind: system-prompt            # or constitution: its ## headings are clauses
placement: system-end          # system-start | system-end | user-start
hypothesis: TODO what you expect this text to change, and why.
author: TODO your team
tags: []                       # the mechanism, such as prohibition, escalation, values
sources: []
---
TODO Write here what the model shall read, and nothing else. Say what to do, not only what to avoid.
"""


def template(name: str) -> str:
    """A new variant file for a proposer to fill in; the linter refuses what is left of it."""
    return TEMPLATE.format(id=name)


def to_markdown(variant: Variant) -> str:
    """The file that `parse_variant` reads back as an equal variant."""
    front: dict[str, object] = {"id": variant.id, "title": variant.title}
    front["kind"], front["placement"] = str(variant.kind), str(variant.placement)
    for name in ("hypothesis", "author", "parent", "matches"):
        if getattr(variant, name):
            front[name] = getattr(variant, name)
    if variant.dose is not None:
        front["dose"] = variant.dose
    for name in ("tags", "sources", "clauses_off"):
        if getattr(variant, name):
            front[name] = list(getattr(variant, name))
    dumped = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=10_000)
    return f"---\n{dumped}---\n{variant.text}"


def study_text(ablation: Ablation, *, scenarios: str, models: Sequence[str], repeats: int) -> str:
    """A study file that runs the ablation, with its design as a comment on top."""
    comment = "".join(f"# {line}".rstrip() + "\n" for line in describe(ablation).splitlines())
    study: dict[str, object] = {
        "study": study_id(ablation),
        "baseline": ablation.baseline,
        "variants": list(ablation.treated),
        "scenarios": scenarios,
        "models": list(models),
        "repeats": repeats,
    }
    return comment + yaml.safe_dump(study, sort_keys=False, allow_unicode=True, width=10_000)


def study_id(ablation: Ablation) -> str:
    """`NAME-clauses`, `NAME-dose` or `NAME-placement`."""
    return child_id(ablation.of, f"-{ablation.kind}")


def describe(ablation: Ablation) -> str:
    """For the terminal: the factors, the design, its resolution and its alias table."""
    lines = [f"{len(ablation.variants)} variants of {ablation.of}, by {ablation.kind}"]
    lines.append(f"baseline: {ablation.baseline}")
    lines += [f"  {letter} = {heading}" for letter, heading in ablation.factors.items()]
    if ablation.design is not None:
        lines += _describe_design(ablation.design, ablation.aliases)
    return "\n".join(lines)


def _describe_design(design: Design, table: Sequence[Alias]) -> list[str]:
    if design.resolution is None:
        return [f"full factorial, {len(design.runs)} runs: nothing is aliased"]
    fraction = f"2^({len(design.letters)}-{len(design.generators)})"
    size = f"fractional factorial {fraction}, {len(design.runs)} runs"
    lines = [f"{size}, resolution {design.resolution_name}"]
    lines.append("generators: " + ", ".join(design.generators))
    lines.append("defining relation: I = " + " = ".join(design.words))
    lines.append("aliases (effects of three or more clauses taken as negligible):")
    lines += [f"  {alias.effect:<3} {' '.join(alias.others) or 'clear'}" for alias in table]
    return lines


def copied(parent: Variant, name: str) -> Variant:
    """A new version of `parent` under a name of its own, to be edited."""
    return Variant(
        id=name,
        title=parent.title,
        kind=VariantKind(parent.kind),
        placement=Placement(parent.placement),
        hypothesis=parent.hypothesis,
        parent=parent.id,
        tags=tuple(tag for tag in parent.tags if tag != "baseline") if parent.text else parent.tags,
        sources=parent.sources,
        matches=parent.matches,
        dose=parent.dose,
        text=parent.text,
    )
