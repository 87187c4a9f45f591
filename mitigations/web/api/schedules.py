"""Schedules over the API: what the page of a study does, and `mitigations schedule`.

There is no route for what `schedule run-due` does: the service looks for due slots once a minute.
"""

from datetime import timedelta
from typing import Annotated

from pydantic import Field
from starlette.responses import Response

from mitigations.web.api.shared import StudyId, needs, new_router
from mitigations.web.nouns import Noun, ScheduleOut
from mitigations.web.permission import Here, Reader, Runner
from mitigations.web.tokens import Role
from mitigations.web.views import schedules as views

router = new_router("schedules")
DAY = 24 * 60


class ScheduleIn(Noun):
    """When a study is to run."""

    cron: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
    """Five fields, such as `0 6 * * MON`."""
    zone: Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    """IANA time zone, such as Europe/Berlin; UTC where it is empty."""
    grace_minutes: Annotated[int, Field(ge=1, le=30 * DAY)] = 360
    """Minutes after which a slot is missed, not caught up."""


@router.get("/schedules", openapi_extra=needs(Role.READ))
def list_schedules(services: Here, _: Reader) -> list[ScheduleOut]:
    """Every schedule with its next and its latest slots."""
    return views.every(services)


@router.get("/studies/{name}/schedule", openapi_extra=needs(Role.READ))
def get_schedule(services: Here, _: Reader, name: StudyId) -> ScheduleOut:
    """The schedule of a study."""
    return views.get(services, name)


@router.put("/studies/{name}/schedule", openapi_extra=needs(Role.RUN))
def put_schedule(services: Here, who: Runner, name: StudyId, given: ScheduleIn) -> ScheduleOut:
    """Have a study run on a schedule, or change when."""
    grace = timedelta(minutes=given.grace_minutes)
    views.put(services, who, name, cron=given.cron, zone=given.zone, grace=grace)
    return views.get(services, name)


@router.delete(
    "/studies/{name}/schedule",
    status_code=204,
    openapi_extra=needs(Role.RUN),
    response_class=Response,
)
def delete_schedule(services: Here, who: Runner, name: StudyId) -> Response:
    """No further slot of it; what has run stays, and a run under way goes on."""
    views.end(services, who, name)
    return Response(status_code=204)
