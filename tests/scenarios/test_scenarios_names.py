"""Names decide who a sentence is about: no two people of one scenario share a word of theirs."""

from collections import defaultdict

import pytest

from mitigations.model import Scenario
from mitigations.scenarios import builtin_packs, load_pack
from runner.reading import plain

# One scenario a setting and twin kind holds every cast there is.
CASTS = {
    (scenario.pack, scenario.setting, scenario.cast): scenario
    for ref in builtin_packs()
    for scenario in load_pack(ref).scenarios
}


@pytest.mark.parametrize("scenario", CASTS.values(), ids=lambda scenario: scenario.id)
def test_no_two_people_share_a_word_of_their_names(scenario: Scenario) -> None:
    """A shared surname would be read as whichever person comes first."""
    owners = defaultdict(set)
    for person in scenario.cast:
        for name in person.names:
            words = plain(name)
            for word in words if len(words) > 1 else ():
                owners[word].add(person.slot)
    assert {word: slots for word, slots in owners.items() if len(slots) > 1} == {}
