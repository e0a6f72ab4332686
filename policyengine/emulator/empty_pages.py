"""Empty pages in the middle of lists: legal, rare, and easily forgotten by clients. Source: configuration API §4.

The link to each further page then leads to a page that holds nothing but the link to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import quote, urlencode

from policyengine.emulator.answers import Answer, ArmRequest

_MARK: Final = "emptypage"


def empty_page(request: ArmRequest) -> Answer | None:
    """The page that holds nothing, if the link that was followed leads to one."""
    if _MARK not in request.query:
        return None
    rest = {name: value for name, value in request.query.items() if name != _MARK}
    link = f"{request.base_url}{quote(request.path)}?{urlencode(rest, safe='$')}"
    return Answer(200, {"value": [], "nextLink": link})


def with_detour(answer: Answer) -> Answer:
    """The answer, whose link to the next page goes by an empty one."""
    link = answer.body.get("nextLink") if isinstance(answer.body, Mapping) else None
    return answer if not link else replace(answer, body={**answer.body, "nextLink": f"{link}&{_MARK}=1"})
