"""`mitigations` alone: where you are, the next sensible command, where help is."""

from mitigations.cli.session import Session


def welcome(session: Session) -> None:
    """Three lines."""
    here = session.db.parent
    studies = sorted(here.glob("studies/*.yaml"))
    locks = sorted({*here.glob("studies/*.lock"), *here.glob("*.lock")})
    if session.db.exists():
        place, step = f"Database {session.db}.", "mitigations report"
    elif locks:
        place, step = f"A locked study, {locks[0]}, has not run yet.", f"mitigations run {locks[0]}"
    elif studies:
        place, step = f"A workspace; studies: {len(studies)}.", f"mitigations plan {studies[0]}"
    else:
        place, step = "No workspace here.", "mitigations demo   (or: mitigations init DIR)"
    session.say(place)
    session.say(f"Next: {step}")
    session.say("Help: mitigations --help, mitigations COMMAND --help")
