"""The JSON API: the same nouns as the pages."""

from fastapi import APIRouter

from mitigations.web.api import owner, reading, runs, schedules, service, studies, variants


def routers() -> tuple[APIRouter, ...]:
    """Every operation; those for the local command line are not part of the described API."""
    return tuple(
        module.router for module in (variants, studies, schedules, runs, service, owner, reading)
    )
