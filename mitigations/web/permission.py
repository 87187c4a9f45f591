"""What a route asks of the person behind a request. Every route names one of these."""

from typing import Annotated

from fastapi import Depends, Request

from mitigations.web.access import Who
from mitigations.web.services import Services, services_of
from mitigations.web.tokens import Role


class NotSignedIn(Exception):
    """Nobody is signed in, or the token is not known."""


class NotAllowed(Exception):
    """Signed in, without the role."""

    def __init__(self, who: Who, role: Role) -> None:
        self.role = role
        super().__init__(f"{who.name} may not do this; it needs the role {role}")


class Needs:
    """A dependency that gives who is asking, or raises."""

    def __init__(self, role: Role) -> None:
        self.role = role

    async def __call__(self, request: Request) -> Who:
        """The person; raises `NotSignedIn` or `NotAllowed`."""
        who: Who | None = request.state.who
        if who is None:
            raise NotSignedIn
        if not who.may(self.role):
            raise NotAllowed(who, self.role)
        return who


async def services(request: Request) -> Services:
    """The services this application was made with."""
    return services_of(request)


Here = Annotated[Services, Depends(services)]
Reader = Annotated[Who, Depends(Needs(Role.READ))]
Proposer = Annotated[Who, Depends(Needs(Role.PROPOSE))]
Approver = Annotated[Who, Depends(Needs(Role.APPROVE))]
Runner = Annotated[Who, Depends(Needs(Role.RUN))]
