"""Studies over the API."""

from typing import Annotated, Literal

from pydantic import Field

from mitigations.compose.running import Options
from mitigations.errors import InvalidFile
from mitigations.study import parse_study
from mitigations.web.api.shared import Id, StudyId, needs, new_router
from mitigations.web.nouns import EstimateOut, LockView, Noun, RunView, StudySummary, StudyView
from mitigations.web.permission import Here, Proposer, Reader, Runner
from mitigations.web.services import Services
from mitigations.web.tokens import Role
from mitigations.web.views import runs as run_views
from mitigations.web.views import studies as views
from mitigations.web.views.study_text import Draft, draft_text

router = new_router("studies")
Route = Annotated[str, Field(pattern=r"^[a-z0-9_]+/[^\s/][^\s]*$", max_length=200)]
Proportion = Annotated[float, Field(gt=0, lt=1)]


class StudyIn(Noun):
    """A study built from lists. Hosts and keys have no place in it."""

    study: Id
    baseline: Id = "no-mitigation"
    variants: Annotated[list[Id], Field(min_length=1, max_length=200)]
    scenarios: Annotated[str, Field(min_length=1, max_length=200)] = "builtin/coercion-v1"
    models: Annotated[list[Route], Field(min_length=1, max_length=50)]
    repeats: Annotated[int, Field(ge=1, le=10_000)] = 10
    judge: Route | Literal["rules"] = "rules"
    smallest_change_that_matters: Proportion = 0.05
    guardrails: Annotated[dict[str, Proportion], Field(default_factory=dict)]
    design: Literal["fixed", "group-sequential", "anytime"] = "fixed"
    looks: Annotated[int, Field(ge=1, le=20)] = 5
    budget_usd: Annotated[float, Field(gt=0, le=1e6)] | None = None

    def text(self, services: Services) -> str:
        """The study file; raises `InvalidFile` for a scenario set that is not of this workspace."""
        if self.scenarios not in services.shelf.packs():
            known = ", ".join(services.shelf.packs())
            raise InvalidFile("scenarios", "are not a set of this workspace", fix=f"Known: {known}")
        return draft_text(
            Draft(
                study=self.study,
                baseline=self.baseline,
                variants=tuple(self.variants),
                scenarios=self.scenarios,
                models=tuple(self.models),
                repeats=str(self.repeats),
                judge=self.judge,
                smallest_change=str(self.smallest_change_that_matters),
                guardrails={name: str(margin) for name, margin in self.guardrails.items()},
                design=self.design,
                looks=str(self.looks),
                budget_usd="" if self.budget_usd is None else str(self.budget_usd),
            )
        )


class LockIn(Noun):
    """Whether an existing lock may be replaced."""

    replace: bool = False


class RunIn(Noun):
    """What a person may choose at run time; nothing here changes a result."""

    budget_usd: Annotated[float, Field(ge=0, le=1e6)] | None = None

    def options(self) -> Options:
        """For the run."""
        return Options(budget_usd=self.budget_usd)


@router.get("/studies", openapi_extra=needs(Role.READ))
def list_studies(services: Here, _: Reader) -> list[StudySummary]:
    """Every study with its latest verdict."""
    return views.summaries(services)


@router.post("/studies", status_code=201, openapi_extra=needs(Role.PROPOSE))
def add_study(services: Here, who: Proposer, given: StudyIn) -> StudyView:
    """Write a new study file. Nothing is overwritten."""
    text = given.text(services)
    views.preview(services, parse_study(text, "the study"))
    services.audit.record(who, "write a study", given.study)
    with services.writing:
        services.shelf.add_study(text)
    return views.study_view(services, given.study)


@router.post("/studies/preview", openapi_extra=needs(Role.PROPOSE))
def preview_study(services: Here, _: Proposer, given: StudyIn) -> EstimateOut:
    """Price, time and power before anything is saved or locked."""
    return views.preview(services, parse_study(given.text(services), "the study"))


@router.get("/studies/{name}", openapi_extra=needs(Role.READ))
def get_study(services: Here, _: Reader, name: StudyId) -> StudyView:
    """One study: plan, price and power, lock, runs."""
    return views.study_view(services, name)


@router.post("/studies/{name}/lock", openapi_extra=needs(Role.PROPOSE))
def lock_study(services: Here, who: Proposer, name: StudyId, given: LockIn) -> LockView:
    """Freeze the study as it is now: the preregistration and the run's only input."""
    plan = views.lock_study(services, who, name, replace=given.replace)
    return LockView(
        hash=plan.hash,
        created=plan.created,
        run=plan.run_id,
        is_current=True,
        changed=[],
        problem="",
    )


@router.post("/studies/{name}/run", status_code=202, openapi_extra=needs(Role.RUN))
def run_study(services: Here, who: Runner, name: StudyId, given: RunIn) -> RunView:
    """Run the study's lock, or go on with it."""
    job = views.start(services, who, name, given.options())
    return run_views.run_view(services, job.run)
