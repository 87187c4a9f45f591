"""Pure statistics: counts in, effects out. No rows, no connection, no clock.

`analyse` is the door; the methods stand in modules of their own, and `stats.quantities` names every
quantity of the reference file.
"""

from stats.analysis import analyse

__all__ = ["analyse"]
