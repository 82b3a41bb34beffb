"""Claims stand in blocks, one for each place in the paper, so that what they share is written once:

claims:
  - location: Table 1
    level: laptop                          # the lowest one that judges the claim
    source: paper                          # of the numbers reported
    protocol: 50 000 samples
    claims:
      - {id: best, number: "1", statement: "...", grade: solid, kind: event, statistic: rank, range: [null, 1]}
"""

from collections.abc import Mapping
from typing import Any

from common.errors import SettingsError
from common.runs.settings import hint

# What the claims of one place in the paper may share.
BLOCK_KEYS = {"location", "number", "grade", "level", "kind", "unit", "note", "source", "protocol", "amended"}


def flattened(block: Any, where: str) -> list[Any]:
    """Return the claims of a block: what a block says beside `claims` holds for each of them, unless it says otherwise itself.

    A claim's `reported` may be the paper's number alone; its source and protocol are then the claim's, or its block's, keys.
    """
    if not isinstance(block, Mapping) or "claims" not in block:
        return [_with_reported(block)] if isinstance(block, Mapping) else [block]
    shared = {key: value for key, value in block.items() if key != "claims"}
    if unknown := sorted(set(shared) - BLOCK_KEYS):
        raise SettingsError(f"{where}: claims of {block.get('location', '?')}: unknown key{hint(unknown[0], sorted(BLOCK_KEYS))}")
    if not isinstance(block["claims"], list) or not all(isinstance(claim, Mapping) for claim in block["claims"]):
        raise SettingsError(f"{where}: claims of {block.get('location', '?')}: claims: must be a list of claims")
    return [_with_reported({**shared, **claim}) for claim in block["claims"]]


def _with_reported(claim: Mapping[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in claim.items() if key not in ("source", "protocol")}
    origin = {key: claim[key] for key in ("source", "protocol") if key in claim}
    given = rest.get("reported", "none")
    if given == "none":
        return {**rest, "reported": "none"}
    return {**rest, "reported": {**origin, **(given if isinstance(given, Mapping) else {"value": given})}}
