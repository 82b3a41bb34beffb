"""Neural Ordinary Differential Equations (Chen, Rubanova, Bettencourt, Duvenaud; NeurIPS 2018)."""
