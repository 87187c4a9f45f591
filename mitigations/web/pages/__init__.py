"""The pages: server-rendered, complete without script."""

from fastapi import APIRouter

from mitigations.web.pages import (
    cells,
    compare,
    docs,
    editor,
    health,
    home,
    label,
    runs,
    sign_in,
    studies,
    variants,
)


def routers() -> tuple[APIRouter, ...]:
    """Every page."""
    modules = (home, editor, variants, studies, runs, cells, compare, label, health, docs, sign_in)
    return tuple(module.router for module in modules)
