"""Play a run in stages, with a look by its owner after each: how a sequential design ends early."""

from collections.abc import Awaitable, Callable, Sequence


async def in_stages(
    ends: Sequence[int],
    *,
    play: Callable[[range], Awaitable[None]],
    look: Callable[[int], Awaitable[bool]] | None,
) -> int:
    """Play epochs up to each of `ends` in turn; returns how many epochs were played.

    A stage is complete before its look: no trial is in flight then, so a look sees whole epochs
    and the same look sees the same data however often the run was stopped. `look` gets the number
    of complete epochs and says whether to end here.
    """
    first = 0
    for end in ends:
        await play(range(first, end))
        if look is not None and await look(end):
            return end
        first = end
    return first
