"""Does the effect differ between models? Cochran's Q on stratified score variances.

Cochran (1954), Biometrics 10, with each model's variance taken at the common difference (Miettinen
& Nurminen 1985) instead of at its own rates: a model at 0/n or n/n then still has a variance.
"""

import numpy as np
from scipy.special import chdtrc

from stats.score import difference_variance
from stats.standardised import standardise
from stats.strata import FloatArray, Strata


def model_q(by_model: Strata, overall: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Q and its p over models.

    Args:
        by_model: batch shape (..., M, K), one model's strata filled in each entry of M.
        overall: shape (...), the common standardised difference.

    Returns:
        Arrays of shape (...); NaN where fewer than two models have a usable stratum.
    """
    effects = standardise(by_model).rd
    common = np.clip(np.nan_to_num(overall), -1.0, 1.0)[..., None]
    point = np.broadcast_to(common, effects.shape)
    variance = difference_variance(by_model, point)
    known = ~np.isnan(effects) & (variance > 0)
    weight = np.where(known, 1 / np.where(known, variance, 1.0), 0.0)
    filled = np.nan_to_num(effects)
    total = weight.sum(axis=-1)
    centre = (weight * filled).sum(axis=-1) / np.where(total > 0, total, 1.0)
    q = (weight * (filled - centre[..., None]) ** 2).sum(axis=-1)
    df = known.sum(axis=-1) - 1.0
    q = np.where(df >= 1, q, np.nan)
    return q, np.asarray(chdtrc(np.maximum(df, 1.0), q))
