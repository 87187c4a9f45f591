"""`/docs`: the API in words. A page of our own, because the usual ones load from elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from mitigations.web.permission import Reader
from mitigations.web.render import page

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing a program can ask."""

    method: str
    path: str
    summary: str
    description: str
    role: str
    takes: tuple[tuple[str, str, str], ...]
    """Name, kind, meaning."""
    gives: str


@router.get("/docs")
def docs(request: Request, _: Reader) -> HTMLResponse:
    """Every operation, what it takes, what it gives and which role it needs."""
    document = request.app.openapi()
    return page(request, "docs.html", operations=list(_operations(document)))


def _operations(document: dict[str, Any]) -> Iterator[Operation]:
    schemas = document.get("components", {}).get("schemas", {})
    for path, methods in document["paths"].items():
        for method, entry in methods.items():
            yield Operation(
                method=method.upper(),
                path=path,
                summary=entry.get("summary", ""),
                description=entry.get("description", ""),
                role=entry.get("x-role", "read"),
                takes=tuple(_takes(entry, schemas)),
                gives=_gives(entry),
            )


def _takes(entry: dict[str, Any], schemas: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for parameter in entry.get("parameters", ()):
        kind = f"{parameter['in']}, {_kind(parameter['schema'])}"
        yield parameter["name"], kind, parameter.get("description", "")
    content = entry.get("requestBody", {}).get("content", {})
    for media in content.values():
        name = media["schema"].get("$ref", "").rpartition("/")[2]
        body = schemas.get(name, {})
        required = body.get("required", ())
        for field, schema in body.get("properties", {}).items():
            need = "" if field in required else ", optional"
            yield field, f"body, {_kind(schema)}{need}", schema.get("description", "")


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("type", "anything"))


def _gives(entry: dict[str, Any]) -> str:
    for status in ("200", "201", "202"):
        content = entry["responses"].get(status, {}).get("content", {})
        for media, described in content.items():
            if media == "application/json":
                return _kind(described.get("schema", {}))
            return str(media)
    return ""
