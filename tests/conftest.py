"""Every test process computes on one core: pytest runs one process per core, and threads on top would only get in their way."""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
