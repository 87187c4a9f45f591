"""How the service is, as a noun."""

import shutil

from mitigations import __version__
from mitigations.compose.reporting import model_change, served_models
from mitigations.store import Store
from mitigations.web.nouns import HealthOut, SectionOut
from mitigations.web.services import HealthSection, Services
from mitigations.web.views import runs as run_views

SHOWN_RUNS = 10


def health(services: Services) -> HealthOut:
    """The database, the disk, the runs, and whatever the hooks have to say."""
    return services.memo.get("health", lambda: _read(services))


def _read(services: Services) -> HealthOut:
    with services.reading() as store:
        return _viewed(services, store)


def _viewed(services: Services, store: Store) -> HealthOut:
    runs = run_views.summaries(services, store)
    sections = [_models(store, [one.run for one in runs[:SHOWN_RUNS]])]
    sections += [hook() for hook in services.hooks.health]
    sections.append(_scoreboard())
    return HealthOut(
        version=__version__,
        workspace=services.root.name,
        database=services.db.name,
        database_bytes=services.db.stat().st_size if services.db.exists() else None,
        free_bytes=shutil.disk_usage(services.root).free,
        live=[one for one in runs if one.state in run_views.LIVE],
        runs=runs[:SHOWN_RUNS],
        sections=[_section(one) for one in sections],
    )


def _models(store: Store, runs: list[str]) -> HealthSection:
    """Which models answered under another name or fingerprint within a run."""
    alarms = [(run, model_change(served_models(store, run))) for run in runs]
    changed = [(run, alarm.detail) for run, alarm in alarms if alarm.fired]
    if not runs:
        summary = "No run yet, so no model has answered."
    elif changed:
        summary = f"In {len(changed)} of the last {len(runs)} runs a model changed while it ran."
    else:
        summary = f"In none of the last {len(runs)} runs did a model change while it ran."
    return HealthSection(
        id="model-changes",
        title="Model changes",
        summary=summary,
        is_well=None if not runs else not changed,
        columns=("Run", "What changed") if changed else (),
        rows=tuple(changed),
        links="/runs/",
    )


def _scoreboard() -> HealthSection:
    """What this build was held to, and how to hold this installation to it."""
    return HealthSection(
        id="scoreboard",
        title="What this version was tested for",
        summary=(
            f"docs/scoreboard.md of version {__version__} holds its figures: faults injected and "
            "survived, rows lost, hostile inputs, error rates of the analysis. The command "
            "mitigations calibrate observes the error rates of this installation in a minute."
        ),
    )


def _section(one: HealthSection) -> SectionOut:
    return SectionOut(
        id=one.id,
        title=one.title,
        summary=one.summary,
        is_well=one.is_well,
        columns=list(one.columns),
        rows=[list(row) for row in one.rows],
        links=one.links,
        way_in=one.way_in,
    )
