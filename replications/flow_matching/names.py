"""What the report calls each method."""

# as the paper writes them, in the order of the tables
NAMES = {
    "fm_ot": "FM-OT",
    "fm_vp": "FM-diffusion",
    "score_vp": "score matching",
    "ddpm_vp": "DDPM",
    "scoreflow_vp": "ScoreFlow",
    "data": "data",
    "noise": "noise",
    "regression": "regression",
    "given": "enlarged small image",
    "truth": "original",
}
