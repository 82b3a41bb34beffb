"""Write environment.yml from pyproject.toml: the same requirements for conda and mamba. Part of `make lock`."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAD = """\
# For conda and mamba: conda env create -f environment.yml && conda activate retrace && snakemake --cores
# Written from pyproject.toml by `make lock`; requirements.lock pins every version for pip.
name: retrace
channels:
  - conda-forge
dependencies:
  - python{python}
  - pip
  - pip:
"""


def main() -> None:
    """Write the file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [f'      - "{requirement}"\n' for requirement in project["dependencies"]]
    (ROOT / "environment.yml").write_text(HEAD.format(python=project["requires-python"]) + "".join(lines))


if __name__ == "__main__":
    main()
