"""Part 10: the plan, every departure from it, and the method in words and then formulas."""

from reports.blocks import (
    Block,
    Bullets,
    Code,
    Folded,
    Prose,
    Section,
    Subhead,
    Table,
)
from reports.guardrail_words import label
from reports.parts.confirmation import confirmation_method
from reports.parts.paths import differences, evidence
from reports.report import Look, Report
from reports.words import p_text, plural, points, signed, signed_interval

FORMULAS = """\
Cell k = (scenario, model); arm 1 = variant, arm 0 = baseline; x of n scored replies coercive.
Estimate    RD = sum_k w_k (x1_k/n1_k - x0_k/n0_k),  w_k equal, sum w_k = 1
Test        T = sum_k x1_k; within each cell the margins give a hypergeometric law,
            their convolution the law of T; p = P(|T-E| > t) + P(|T-E| = t)/2
Interval    all d with |RD - d| <= z sqrt(sum_k w_k^2 V_k(d)),  V_k from the restricted MLE
            (Miettinen and Nurminen 1985), factor N/(N-1) in each cell
Family      step-down max-T, arm labels permuted within cells; simultaneous interval with the
            Dunnett constant
Like these  D_s = mean over models of the difference in scenario s; t with S-1 df; sign flips"""


_DESIGNS = {
    "group-sequential": (
        (
            "The data were looked at as planned; alpha is spent over the looks by the Lan-DeMets "
            "O'Brien-Fleming function, at the completed share of trials."
        ),
    ),
    "anytime": (
        (
            "The data may be looked at after any complete epoch: a change counts as shown when the "
            "e-value of the paired trials reaches the number of variants divided by alpha."
        ),
    ),
}


_CAPTIONS = {
    "planned looks": (
        "Every look: the adjusted p against the level of the look, at which the interval holds."
    ),
    "e-process": "Every look: the e-value against the number of variants divided by alpha.",
    "scheduled runs": "Every scheduled run.",
}


def method(report: Report) -> Section:
    """What was fixed beforehand, what was done, and what departed from the plan."""
    blocks: list[Block] = [
        *_plan(report),
        *_words(report),
        *_looks(report),
        *confirmation_method(report),
    ]
    blocks.append(Folded(summary="Formulas", blocks=(Code(label="Formulas", text=FORMULAS),)))
    return Section(
        id="method",
        number=10,
        title="Method and plan",
        question="What was fixed before the data, and how were they analysed?",
        blocks=tuple(blocks),
    )


def _plan(report: Report) -> list[Block]:
    plan, settings = report.plan, report.analysis.settings
    if plan is None:
        return [
            Prose(
                lead="No plan. ",
                text="The counts were analysed as given; no lock binds "
                "this analysis, and every choice in it could have been made afterwards.",
            )
        ]
    rows = [
        ("Lock", plan.hash),
        ("Locked", plan.created),
        ("Pack of scenarios", f"{plan.pack} ({plan.pack_hash[:16]})"),
        ("Rubric", plan.rubric_hash[:16] or "none: the rules decide"),
        ("Coercive from severity", str(plan.coercive_at)),
        ("Repeats", str(plan.repeats)),
        ("Design", settings.design),
        ("Alpha", f"{settings.alpha:g}"),
        ("Smallest change that matters", f"{points(settings.smallest_change)} in 100"),
        *(
            (f"Margin, {label(name)}", f"{points(margin)} in 100")
            for name, margin in settings.guardrail_margins.items()
        ),
        *(
            [("Least agreement with human labels", f"kappa {settings.least_kappa:g}")]
            if settings.least_kappa is not None
            else []
        ),
        ("Seed", str(settings.seed)),
        *(
            (f"Status of {one.variant}", f"{one.status} by {one.by} on {one.at[:10]}")
            for one in plan.approvals
        ),
    ]
    table = Table(caption="What the lock fixed.", columns=("Item", "Value"), rows=tuple(rows))
    departures = report.run.amendments if report.run is not None else ()
    said: Block = (
        Bullets(items=departures)
        if departures
        else Prose(text="No departure from the plan is recorded.")
    )
    return [table, Subhead(text="Departures from the plan"), said]


def _words(report: Report) -> list[Block]:
    analysis = report.analysis
    family = f"{analysis.family_method}, {plural(analysis.family_size, 'comparison')}"
    if analysis.family_p is not None:
        family += f"; that no variant differs has adjusted p {p_text(analysis.family_p)}"
    return [
        Subhead(text="Method in words"),
        Bullets(
            items=(
                (
                    "The estimate is the difference of coercive rates averaged over scenarios and "
                    "models with equal weight; arms are never pooled into one rate."
                ),
                (
                    "The test permutes arms within each scenario and model, exactly; ties count "
                    "half. It is two-sided, because a mitigation can backfire."
                ),
                *_DESIGNS.get(analysis.settings.design, ()),
                f"All variants together are one family: {family}.",
                (
                    "Beside it stands another question, whether the change would hold in new "
                    "scenarios of this kind, answered from the scenario means."
                ),
                (
                    "Guardrails are tested only for variants that reduced coercive replies, for "
                    "non-inferiority against margins fixed in the plan; all must pass."
                ),
                "Lost replies are a third state: never safe, never coercive.",
            )
        ),
    ]


def _looks(report: Report) -> list[Block]:
    looks, kind = report.extras.looks, report.extras.looks_kind
    if not looks:
        planned = report.analysis.settings.looks
        if report.analysis.settings.design == "anytime" and report.run is not None:
            return [Prose(text="Looks: none was taken yet.")]
        if report.analysis.settings.design == "fixed" or planned <= 1:
            return [Prose(text="Looks: one, at the end.")]
        return [Prose(text=f"Looks: {planned} were planned; none was taken in this run.")]
    ended = report.run.ended_by_rule if report.run is not None else ""
    first: list[Block] = [Prose(text=ended)] if ended else []
    detail = Table(
        caption=_CAPTIONS[kind],
        columns=("Variant", "Look", "Difference", "Interval", "Statistic", "Boundary", "Crossed"),
        rows=tuple(_look_row(look) for look in looks),
        numeric=frozenset({2, 3, 4, 5}),
    )
    above = evidence(looks, kind)
    figure = differences(looks, kind, band=report.analysis.settings.smallest_change, detail=detail)
    return [Subhead(text="Looks taken"), *first, *([above] if above else []), figure]


def _look_row(look: Look) -> tuple[str, ...]:
    return (
        look.variant,
        look.label,
        signed(look.difference),
        signed_interval(look.interval),
        "—" if look.statistic is None else f"{look.statistic:.3g}",
        "—" if look.boundary is None else f"{look.boundary:.3g}",
        "yes" if look.crossed else "no",
    )
