"""Settings of an experiment: one block per level in the paper's settings.yaml, checked by a pydantic model.

    train:
      all: {batch: 256}                                # shared by every level
      laptop: {steps: 4000}                            # merged over `all`
      gpu: {sets: {"mnist, cifar10": {steps: 90000}}}  # what is a data set's own (setting `data`), merged over the level's

`--set key=value` and `--set block.key=value` go on top. An unknown key, a wrong type or an impossible value is a
`SettingsError` that names the file, the key, the value and the remedy.
"""

import difflib
import importlib
import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from common.errors import SettingsError
from common.runs import strict_yaml
from common.runs.kinds import misread_values
from common.runs.levels import LEVELS

ROOT = Path(__file__).resolve().parents[2]


class Settings(BaseModel):
    """Base of every experiment's settings: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def package_folder(package: str) -> Path:
    """Return the folder of a package such as `replications.flow_matching`, without importing it."""
    return ROOT.joinpath(*package.split("."))


def papers() -> list[str]:
    """Return the papers of this repository: every folder of replications/ that has a paper.yaml."""
    return sorted(folder.parent.name for folder in (ROOT / "replications").glob("*/paper.yaml"))


def experiments(package: str) -> list[str]:
    """Return the names of a paper's experiments: one file each in its `experiments` folder."""
    return sorted(f.stem for f in (package_folder(package) / "experiments").glob("*.py") if f.stem != "__init__")


def check_experiment(package: str, experiment: str) -> None:
    """Raise `SettingsError` unless the paper has this experiment."""
    if experiment not in (known := experiments(package)):
        raise SettingsError(f"{package} has no experiment {experiment!r}{hint(experiment, known)}")


def check_level(level: str) -> None:
    """Raise `SettingsError` unless this is one of the levels."""
    if level not in LEVELS:
        raise SettingsError(f"there is no level {level!r}{hint(level, LEVELS)}")


def load_yaml(file: Path) -> Any:
    """Read a YAML file strictly (common.runs.strict_yaml); an error names the file and the line or key."""
    return strict_yaml.read(file, shown(file))


def base_seed() -> int:
    """Return the root of all seeds, from its one source, config/config.yaml."""
    file = ROOT / "config" / "config.yaml"
    found = (load_yaml(file) or {}).get("base_seed")
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        raise SettingsError(f"{shown(file)}: base_seed: must be a whole number from 0 on; got {found!r}")
    return found


def raw(package: str, experiment: str, level: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Return the merged but unchecked settings of one experiment (what the workflow watches for changes)."""
    check_experiment(package, experiment)
    check_level(level)
    file = package_folder(package) / "settings.yaml"
    blocks = (load_yaml(file) or {}).get(experiment)
    if not isinstance(blocks, Mapping):
        raise SettingsError(f"{shown(file)}: no block {experiment!r}; add one with a part for each level")
    if unknown := set(blocks) - {"all", *LEVELS}:
        key = sorted(map(str, unknown))[0]
        raise SettingsError(f"{shown(file)}: {experiment}.{key}: not a level{hint(key, ['all', *LEVELS])}")
    if level not in blocks:
        raise SettingsError(f"{shown(file)}: {experiment}: no settings for level {level!r}; add a block {level!r}")
    merged = _merge(blocks.get("all") or {}, blocks[level] or {})
    chosen = _merge({}, *(parse_override(override) for override in overrides))
    if "sets" in merged:
        merged = _merge(merged, _of_set(merged.pop("sets"), chosen.get("data"), f"{shown(file)}: {experiment}.{level}.sets"))
    return _merge(merged, chosen)


def _of_set(sets: Any, data: Any, where: str) -> dict[str, Any]:
    """Return a data set's own settings, of the first set unless `data` names one."""
    if not isinstance(sets, Mapping) or not sets:
        raise SettingsError(f"{where}: must map data sets to their settings; got {sets!r}")
    sets = {name.strip(): block for names, block in sets.items() for name in str(names).split(",")}
    data = next(iter(sets)) if data is None else data
    if data not in sets:
        raise SettingsError(f"{where}: no settings for data set {data!r}; add a block for it{hint(str(data), sets)}")
    return {"data": data, **sets[data]}


def shared_backbone(level: str, data: str) -> str:
    """Return the kind of network that `common train` trains on a data set at a level."""
    return raw("common", "train", level, [f"data={data}"])["backbone"]["kind"]


def resolve(package: str, experiment: str, level: str, overrides: Sequence[str] = ()) -> Settings:
    """Return the checked settings of one experiment at one level, `overrides` being `key=value` texts."""
    values = raw(package, experiment, level, overrides)
    module = importlib.import_module(f"{package}.experiments.{experiment}")
    where = f"{shown(package_folder(package) / 'settings.yaml')}: {experiment}.{level}"
    return validated(module.Settings, values, where=where, overrides=overrides)


def validated(model: type[BaseModel], values: Any, *, where: str, overrides: Sequence[str] = ()) -> Any:
    """Return `model` filled with `values`, or raise a `SettingsError` that says where and how to mend it."""
    overridden = {override.partition("=")[0]: override for override in overrides}
    misread = [
        f"{_source(key, where, overridden)}: {problem}; got {value!r}" for key, problem, value in misread_values([model], values)
    ]
    if misread:
        raise SettingsError("\n".join(misread))
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = [_explain(model, problem, where, overridden) for problem in error.errors()]
        raise SettingsError("\n".join(lines)) from None


def parse_override(text: str) -> dict[str, Any]:
    """Return `a.b=3` as {"a": {"b": 3}}; the value is read as YAML."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise SettingsError(f"--set {text}: expected key=value, for example --set steps=100")
    parsed = strict_yaml.parse(value, f"--set {text}: the value")
    for part in reversed(key.split(".")):
        parsed = {part: parsed}
    return parsed


def fingerprint(*parts: Any) -> str:
    """Return a digest of settings, seeds and names: a training state is only resumed under the same one."""
    return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def hint(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean ...? (known: ...)" for an error message."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    guess = f"; did you mean {close[0]!r}?" if close else ""
    return f"{guess} (known: {', '.join(known)})" if known else guess


def _merge(base: Mapping[str, Any], *tops: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in (item for top in tops for item in top.items()):
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        # another kind of block has other keys: it takes the place of the old one
        both = both and value.get("kind", merged[key].get("kind")) == merged[key].get("kind")
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _explain(model: type[BaseModel], problem: Mapping[str, Any], where: str, overridden: Mapping[str, str]) -> str:
    location, known = _walk(model, problem["loc"])
    key = ".".join(location)
    source = _source(key, where, overridden)
    if problem["type"] == "extra_forbidden":
        return f"{source}: unknown key {location[-1]!r}{hint(location[-1], known)}"
    if problem["type"] == "missing":
        return f"{source}: missing; add it"
    return f"{source}: {problem['msg'].removeprefix('Value error, ')}; got {problem['input']!r}"


def _source(key: str, where: str, overridden: Mapping[str, str]) -> str:
    return next((f"--set {text}" for start, text in overridden.items() if key.startswith(start)), f"{where}.{key}")


def _walk(model: type[BaseModel], location: Sequence[Any]) -> tuple[list[str], list[str]]:
    """Return a pydantic error's location as a person wrote it, and the keys known where it ends.

    In a union told apart by `kind`, pydantic puts the kind into the location; nobody wrote that.
    """
    options, written, known = [model], [], sorted(model.model_fields)
    for part in map(str, location):
        kinds = [option for option in options if getattr(option.model_fields.get("kind"), "default", None) == part]
        if kinds:
            options = kinds
        else:
            written.append(part)
            known = sorted({name for option in options for name in option.model_fields})
            fields = [option.model_fields[part] for option in options if part in option.model_fields]
            kinds_of = [(field.annotation, *getattr(field.annotation, "__args__", ())) for field in fields]
            options = [each for kinds in kinds_of for each in kinds if isinstance(each, type) and issubclass(each, BaseModel)]
    return written, known


def shown(file: Path) -> str:
    """Return a file as messages name it: relative to the root where it lies below."""
    return str(file.relative_to(ROOT)) if file.is_relative_to(ROOT) else str(file)
