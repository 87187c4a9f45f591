"""Study file -> plan: load what its names refer to, fill in protocols and prices, freeze."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import variants
from mitigations import __version__
from mitigations.compose import approving
from mitigations.compose.judging.rubrics import read_rubric
from mitigations.compose.planning.key_free import refuse_keys
from mitigations.errors import InvalidFile, MitigationsError, UnknownName
from mitigations.files import read_text
from mitigations.model import Discovery, ModelSpec, Plan, Scenario, Study
from mitigations.providers import FILE_NAME, Providers, read_providers, with_endpoint
from mitigations.scenarios import load_pack
from mitigations.study import Ingredients, make_plan, read_lock, read_study
from runner import protocols
from runner.judge import refuse_own_family, rubric_hash
from runner.models import known_models, known_providers
from runner.prices import lookup
from runner.rules import RULES_VERSION

Discover = Callable[[str, Path], Discovery]
"""The `confirms:` of a study and its workspace to what the earlier run claims."""
_ROOT = Path(__file__).parents[2]


def plan_study(
    path: Path,
    *,
    created: str,
    repeats: int | None = None,
    budget_usd: float | None = None,
    discover: Discover | None = None,
) -> Plan:
    """Read a study file and freeze it; names are looked up in its workspace, then as shipped.

    The workspace is the file's folder, or the one above when the file is in `studies/`.
    """
    study = read_study(path)
    study = replace(
        study,
        repeats=repeats or study.repeats,
        budget_usd=study.budget_usd if budget_usd is None else budget_usd,
    )
    try:
        return plan_from(study, folder=workspace_of(path), created=created, discover=discover)
    except (variants.SameTreatment, UnknownName) as exc:
        raise _placed(path, exc) from exc


def _placed(path: Path, exc: MitigationsError) -> InvalidFile:
    """The same fault with the line of the study that first names what it is about."""
    problem, _, fix = str(exc).partition("\n  ")
    named = re.search(r"'([^']+)'", problem)
    lines = read_text(path).splitlines()
    at = next((n for n, line in enumerate(lines, 1) if named and named[1] in line), None)
    return InvalidFile(path, problem, fix=fix or "Correct the name, or add the file.", line=at)


def workspace_of(path: Path) -> Path:
    """The folder whose `variants/`, packs and `providers.yaml` a study or lock refers to."""
    return path.parent.parent if path.parent.name == "studies" else path.parent


def plan_from(
    study: Study, *, folder: Path, created: str, discover: Discover | None = None
) -> Plan:
    """Freeze a study whose own variants, packs and providers are under `folder`.

    `discover` reads what a study confirms (`confirming.discover`); without it such a study is
    refused, because its lock would hold nothing to confirm.
    """
    if study.confirms and discover is None:
        fix = "Use `mitigations plan` beside the database of the earlier run."
        raise InvalidFile(study.id, f"confirms {study.confirms}, which was not read here", fix=fix)
    providers = read_providers(folder)
    pack = load_pack(study.scenarios, folder)
    own = folder / "variants"
    chosen = variants.find((study.baseline, *study.variants), folder=own)
    own_rubric = study.judge_rubric and read_rubric(Path(study.judge_rubric), within=folder)
    parts = Ingredients(
        variants=chosen,
        pack_hash=pack.hash,
        scenarios=pack.scenarios,
        models=tuple(complete_spec(model, providers) for model in study.models),
        judges=tuple(complete_spec(model, providers, judge=True) for model in study.judge_models),
        rubric_hash=rubric_hash(own_rubric) if study.judge_models else "",
        rubric=own_rubric,
        analysis_hash=analysis_hash(),
        code_version=__version__,
        approvals=approving.approvals(chosen, own),
        confirms=discover(study.confirms, folder) if study.confirms and discover else None,
        rules_version=RULES_VERSION,
    )
    plan = make_plan(study, parts, created=created)
    refuse_own_family(plan.judge, plan.models)
    refuse_keys(plan, providers)
    return plan


def open_lock(path: Path) -> Plan:
    """Read a lock file and everything it refers to; see `study.read_lock` for what it raises."""
    return read_lock(path, base=workspace_of(path), load_pack=pack_for_lock)


def pack_for_lock(ref: str, base: Path | None) -> tuple[str, tuple[Scenario, ...]]:
    """What `study.read_lock` needs of a pack."""
    pack = load_pack(ref, base)
    return pack.hash, pack.scenarios


def complete_spec(spec: ModelSpec, providers: Providers, *, judge: bool = False) -> ModelSpec:
    """The spec with protocol and price as the lock records them; hosts and keys stay out of it.

    Raises `UnknownName` (with the nearest) for a model that nobody has a price for.
    """
    protocol = protocols.default_protocol(spec)
    if spec.is_free:
        known = known_models(spec.provider, judge=judge)
        if spec.route not in known:
            raise UnknownName("judge model" if judge else "model", spec.route, known)
        return replace(spec, protocol=protocol)
    price = with_endpoint(spec, providers).price or lookup(spec.route)
    if price is None:
        known = known_models(spec.provider)
        if not known and spec.provider not in providers:
            raise UnknownName("provider", spec.provider, {*known_providers(), *providers})
        advice = f"Or give its price in {FILE_NAME}."
        raise UnknownName("priced model", spec.route, known, advice=advice)
    return replace(spec, protocol=protocol, price=price)


def analysis_hash() -> str:
    """SHA-256 over the sources of `stats`: which analysis a lock was made for."""
    digest = hashlib.sha256()
    for path in sorted((_ROOT / "stats").rglob("*.py")):
        digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
