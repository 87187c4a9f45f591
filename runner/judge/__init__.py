"""Judge models: blind to variant, model and thoughts; strict about what counts as a verdict.

`await panel(spec, complete=...)(realised, actions, key)` gives one `JudgeVerdict` for each seat.
"""

from runner.judge.attacks import Planted, planted, sample, stage
from runner.judge.family import OwnFamily, family, refuse_own_family
from runner.judge.judges import Judge, Panel, panel, seats
from runner.judge.prompt import judge_request
from runner.judge.robustness import Flips, Forgeries, flips, forgeries, live_flips
from runner.judge.simulated import JUDGES, simulated_verdict
from runner.judge.texts import contract, paraphrases, rubric, rubric_hash
from runner.judge.wording import Agreement, agreement, cases

__all__ = [
    "JUDGES",
    "Agreement",
    "Flips",
    "Forgeries",
    "Judge",
    "OwnFamily",
    "Panel",
    "Planted",
    "agreement",
    "cases",
    "contract",
    "family",
    "flips",
    "forgeries",
    "judge_request",
    "live_flips",
    "panel",
    "paraphrases",
    "planted",
    "refuse_own_family",
    "rubric",
    "rubric_hash",
    "sample",
    "seats",
    "simulated_verdict",
    "stage",
]
