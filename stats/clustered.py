"""Trials clustered in scenarios: least squares with sandwich errors, and GEE. Secondary analyses.

Sources: Liang & Zeger (1986), Biometrika 73 (CR0, GEE); Bell & McCaffrey (2002), Survey Methodology
28, and Pustejovsky & Tipton (2018), JBES 36 (CR2 and its Satterthwaite degrees of freedom). Robust
z with few clusters is too liberal (.07 to .15 at nominal .05 was measured): not for the primary
question.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from stats.named import Undefined
from stats.strata import FloatArray, Strata

GEE_TRIALS = 200_000
"""Trials up to which GEE is fitted: it needs one row a trial, and seconds beyond this."""
LEAST_SE = 1e-6
"""A robust error below this is a zero seen through rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustered:
    """The coefficient of arm in y ~ arm over trials, with cluster-robust standard errors."""

    ols_rd: float
    cr0_se: float
    cr1_se: float
    cr1s_se: float
    cr2_se: float
    cr2_satterthwaite_df: float
    cr2_p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gee:
    """A logit coefficient of arm and its robust standard error."""

    logit: float
    robust_se: float


def clustered_difference(strata: Strata) -> Clustered:
    """Least squares over trials, clusters = scenarios; from counts, without expanding them.

    A cluster enters by its 2 x 2 cross-product only, so that the cost does not grow with trials.
    Raises `Undefined` for one scenario, an empty arm, or residuals that are all zero.
    """
    grams, scores = _clusters(strata)
    total = grams.sum(axis=0)
    if len(grams) < 2:
        raise Undefined("needs at least two scenarios with scored trials")
    if not 0 < total[1, 1] < total[0, 0]:
        raise Undefined("one arm has no scored trial")
    bread = np.linalg.inv(total)
    beta = bread @ scores.sum(axis=0)
    residual = scores - grams @ beta
    plain = residual @ bread[1]
    adjust = _cr2_adjustments(grams, bread)
    # A_g X_g M c = X_g v_g: the adjusted direction of each cluster in the space of the regressors.
    vectors = adjust @ bread[:, 1]
    corrected = (vectors * residual).sum(axis=1)
    cr0, cr2 = float((plain**2).sum()), float((corrected**2).sum())
    clusters, trials = len(grams), float(total[0, 0])
    if cr0 <= 1e-30:
        raise Undefined("no residual variance between the scenarios")
    cr1 = cr0 * clusters / (clusters - 1)
    df = _satterthwaite(grams, bread, vectors)
    return Clustered(
        ols_rd=float(beta[1]),
        cr0_se=cr0**0.5,
        cr1_se=cr1**0.5,
        cr1s_se=(cr1 * (trials - 1) / (trials - 2)) ** 0.5,
        cr2_se=cr2**0.5,
        cr2_satterthwaite_df=df,
        cr2_p=float(2 * stdtr(df, -abs(float(beta[1])) / cr2**0.5)),
    )


def gee(strata: Strata, *, exchangeable: bool) -> Gee:
    """Logit coefficient of arm by GEE over trials, by statsmodels; clusters = scenarios.

    Raises `Undefined` when an arm has no trial, no event or no non-event (the logit is infinite),
    past `GEE_TRIALS`, and where the fit does not converge or leaves no error.
    """
    used = (strata.n1 + strata.n0) > 0
    for events, trials in ((strata.x1, strata.n1), (strata.x0, strata.n0)):
        if not 0 < events.sum() < trials.sum():
            raise Undefined("an arm is all events or has none: its log odds are infinite")
    if len(np.unique(strata.scenario[used])) < 2:
        raise Undefined("needs at least two scenarios with scored trials")
    if (strata.n1 + strata.n0).sum() > GEE_TRIALS:
        raise Undefined("too many trials for GEE; the cluster-robust difference serves here")
    # Imported here: statsmodels costs seconds and only this secondary analysis needs it.
    from statsmodels.genmod.cov_struct import Exchangeable, Independence  # noqa: PLC0415
    from statsmodels.genmod.families import Binomial  # noqa: PLC0415
    from statsmodels.genmod.generalized_estimating_equations import GEE  # noqa: PLC0415

    outcome, arm, cluster = _trials(strata)
    structure = Exchangeable() if exchangeable else Independence()
    design = np.column_stack([np.ones_like(arm), arm])
    model = GEE(outcome, design, groups=cluster, family=Binomial(), cov_struct=structure)
    with warnings.catch_warnings():
        # Not converged, or a working correlation of -1/(size - 1): either way there is no estimate.
        warnings.simplefilter("error")
        try:
            # The criterion is the norm of the score, which grows with the trials.
            fit = model.fit(maxiter=200, ctol=1e-10 * len(outcome))
            logit, robust_se = float(fit.params[1]), float(fit.bse[1])
        except (Warning, np.linalg.LinAlgError, ValueError) as exc:
            raise Undefined(f"GEE has no estimate here ({exc})") from exc
    if robust_se <= LEAST_SE:
        raise Undefined("the scenarios fit the two rates exactly: no robust error can be seen")
    return Gee(logit=logit, robust_se=robust_se)


def _clusters(strata: Strata) -> tuple[FloatArray, FloatArray]:
    """X'X (G, 2, 2) and X'y (G, 2) of every scenario, for the regressors (1, arm)."""
    codes = np.unique(strata.scenario[(strata.n1 + strata.n0) > 0])
    member = (strata.scenario[None, :] == codes[:, None]).astype(np.float64)
    n1, n0, x1, x0 = (member @ part for part in (strata.n1, strata.n0, strata.x1, strata.x0))
    grams = np.stack([np.stack([n1 + n0, n1], axis=1), np.stack([n1, n1], axis=1)], axis=1)
    return grams, np.stack([x1 + x0, x1], axis=1)


def _cr2_adjustments(grams: FloatArray, bread: FloatArray) -> FloatArray:
    """B_g with A_g X_g = X_g B_g, where A_g = (I - H_gg)^(-1/2), pseudo-inverse where singular.

    (I - X M X')^(-1/2) X = X M^(1/2) (I - M^(1/2) X'X M^(1/2))^(-1/2) M^(-1/2).
    """
    values, vectors = np.linalg.eigh(bread)
    root = (vectors * np.sqrt(values)) @ vectors.T
    inverse_root = (vectors / np.sqrt(values)) @ vectors.T
    leverage, axes = np.linalg.eigh(np.eye(2) - root @ grams @ root)
    scale = np.where(leverage > 1e-12, 1 / np.sqrt(np.maximum(leverage, 1e-12)), 0.0)
    middle = (axes * scale[:, None, :]) @ np.swapaxes(axes, 1, 2)
    return np.asarray(root @ middle @ inverse_root)


def _satterthwaite(grams: FloatArray, bread: FloatArray, vectors: FloatArray) -> float:
    """(trace of P'P)^2 over the trace of its square, P'P_gh = p_g' p_h under equal variances."""
    pushed = np.einsum("gij,gj->gi", grams, vectors)
    cross = -pushed @ bread @ pushed.T
    cross[np.diag_indices_from(cross)] += (vectors * pushed).sum(axis=1)
    return float(np.trace(cross) ** 2 / (cross**2).sum())


def _trials(strata: Strata) -> tuple[FloatArray, FloatArray, FloatArray]:
    """One row a trial: outcome, arm, scenario; clusters contiguous."""
    order = np.argsort(strata.scenario, kind="stable")
    parts = []
    for k in order:
        for arm, events, trials in (
            (1.0, strata.x1[k], strata.n1[k]),
            (0.0, strata.x0[k], strata.n0[k]),
        ):
            size = int(trials)
            outcome = (np.arange(size) < events).astype(np.float64)
            parts.append(
                np.stack([outcome, np.full(size, arm), np.full(size, float(strata.scenario[k]))])
            )
    columns = np.concatenate(parts, axis=1)
    return columns[0], columns[1], columns[2]
