"""Statistics of controllable generation: Figures 4 and 13 to 17, Section 5."""

import pandas as pd

from common.measure.rows import rows
from common.measure.statistics import paired, per_seed

CONTROL, COLOURS = rows("controllable"), rows("colourisation", dataset="first")

# Classes
ACCURACY = CONTROL.also(dataset="first", metric="classifier_accuracy")


def accuracy_falls_with_noise(metrics: pd.DataFrame) -> pd.Series:
    """Spearman's correlation of the noise-conditional classifier's accuracy with the noise."""
    accuracy = ACCURACY.along(metrics)
    noise = pd.Series(accuracy.columns, index=accuracy.columns).rank()
    return accuracy.rank(axis=1).corrwith(noise, axis=1)


accuracy_at_most_noise = ACCURACY.also(at="largest").value()
class_agreement = CONTROL.also(dataset="first", metric="agreement", axis="weight", at=1.0).value()

# Inpainting and colourisation, with one corrector for each predictor step, as published
PUBLISHED = 1.0
HOLES = CONTROL.also(dataset="first")
known_error = HOLES.also(metric="known_error", method="inpainting").value(each=("variant", "at"), by="largest")
hole_spread = HOLES.also(metric="spread_over_posterior", method="inpainting", at=PUBLISHED).value(
    each=("variant",), by="smallest"
)


def hole_error_over_unconditional(metrics: pd.DataFrame) -> pd.Series:
    """Squared error of inpainted pixels over that of samples that know nothing of the image: the worst mask."""
    table = HOLES.also(metric="hidden_error").table(metrics)
    inpainted, unconditional = (
        table[(table["method"] == "inpainting") & (table["at"] == PUBLISHED)],
        table[table["method"] == "unconditional"],
    )
    masks = sorted(inpainted["variant"].unique())
    return paired({mask: per_seed(inpainted, variant=mask) / per_seed(unconditional, variant=mask) for mask in masks}).max(axis=1)


COLOURED = {"method": "colourisation", "at": PUBLISHED}
grey_error = COLOURS.also(metric="known_error", method="colourisation").value(each=("at",), by="largest")
colour_error_over_unconditional = COLOURS.also(metric="hidden_error").ratio(COLOURED, "unconditional")
colour_spread = COLOURS.also(metric="spread_over_posterior", **COLOURED).value()


def colour_distance_over_data(metrics: pd.DataFrame) -> pd.Series:
    """Distance of drawn colours to real ones over that of other real ones, as many of each."""
    distance = COLOURS.also(metric="colour_distance")
    return distance.per_seed(metrics, COLOURED) / distance.per_seed(metrics, "data")
