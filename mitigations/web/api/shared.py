"""What every operation of the API declares."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import Field

from mitigations.web.nouns import Problem
from mitigations.web.tokens import Role

REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body cannot be read."},
    401: {"model": Problem, "description": "Nobody is signed in."},
    403: {"model": Problem, "description": "The role is missing, or the origin is not ours."},
    404: {"model": Problem, "description": "There is no such thing."},
    409: {"model": Problem, "description": "It cannot be done as things stand."},
    413: {"model": Problem, "description": "The body is larger than 1 MB."},
    422: {"model": Problem, "description": "The request cannot be used as it is."},
}
ID = r"^[a-z0-9][a-z0-9_-]{0,63}$"
RUN = r"^[a-z0-9][a-z0-9_-]{0,63}-[0-9a-f]{8}$"

StudyId = Annotated[str, Path(pattern=ID, description="Id of the study.")]
VariantId = Annotated[str, Path(pattern=ID, description="Id of the variant.")]
RunId = Annotated[str, Path(pattern=RUN, description="Id of the run.")]
Line = Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
Id = Annotated[str, Field(pattern=ID)]


def new_router(tag: str) -> APIRouter:
    """A router under `/api` whose refusals are described."""
    return APIRouter(prefix="/api", tags=[tag], responses=REFUSALS)


def needs(role: Role) -> dict[str, Any]:
    """For the description: which role an operation asks for."""
    return {"x-role": role.value}
