"""How many evaluations one method needs for the error of another (Figure 7, left)."""

import numpy as np
import pandas as pd

from common.measure.statistics import curve


def evaluations_at_equal_error(table: pd.DataFrame) -> pd.Series:
    """Return, per seed, the evaluations with which FM-OT's error equals FM-diffusion's, over FM-diffusion's.

    `table` has the rows of one solver's errors. Geometric mean over FM-diffusion's measured points; between points of FM-OT the
    error is a power of NFE (log-log), and points beyond its curve are left out.
    """
    ot, vp = (curve(table, method=method) for method in ("fm_ot", "fm_vp"))
    ratios = {}
    for seed in ot.index.intersection(vp.index):
        errors, targets = np.log(ot.loc[seed].to_numpy()), np.log(vp.loc[seed].to_numpy())
        order, inside = np.argsort(errors), (targets >= errors.min()) & (targets <= errors.max())
        needed = np.interp(targets[inside], errors[order], np.log(ot.columns.to_numpy(float))[order])
        ratios[seed] = float(np.exp(np.mean(needed - np.log(vp.columns.to_numpy(float))[inside]))) if inside.any() else np.nan
    return pd.Series(ratios)
