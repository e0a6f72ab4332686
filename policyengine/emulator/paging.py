"""Lists as Resource Manager gives them: a page of values and, if there is more, an absolute link to the next."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote, urlencode

from policyengine.emulator.answers import Answer, ArmRequest, Refusal
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON


def page(request: ArmRequest, values: Sequence[Mapping[str, JSON]], size: int) -> Answer:
    """One page of ``values``, which are in folded id order.

    The token names the last id given, so what is created or deleted in between shifts nothing.
    """
    by_id = {str(value["id"]).casefold(): value for value in values}
    return _page(request, list(by_id), by_id.__getitem__, size)


def page_of(
    request: ArmRequest, ids: Sequence[ResourceId], document: Callable[[ResourceId], Mapping[str, JSON]], size: int
) -> Answer:
    """The same, of which only the documents that are shown are made."""
    by_key = {id.key: id for id in ids}
    return _page(request, list(by_key), lambda key: document(by_key[key]), size)


def _page(request: ArmRequest, keys: Sequence[str], document: Callable[[str], Mapping[str, JSON]], size: int) -> Answer:
    after = _last_id(request.query.get("$skiptoken"))
    rest = [key for key in keys if after is None or key > after]
    shown = rest[: min(size, _top(request.query.get("$top"), size))]
    body: dict[str, JSON] = {"value": [document(key) for key in shown]}
    if len(rest) > len(shown) and shown:
        body["nextLink"] = _next_link(request, shown[-1])
    return Answer(200, body)


def _next_link(request: ArmRequest, last: str) -> str:
    token = base64.urlsafe_b64encode(last.encode()).decode()
    kept = {name: value for name, value in request.query.items() if name != "$skiptoken"}
    return f"{request.base_url}{quote(request.path)}?{urlencode({**kept, '$skipToken': token}, safe='$')}"


def _last_id(token: str | None) -> str | None:
    if not token:
        return None
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise Refusal(400, "InvalidSkipToken", "The $skipToken is invalid: use the nextLink as it was given.") from None


def _top(text: str | None, size: int) -> int:
    if text is None:
        return size
    if not text.isdigit() or int(text) == 0:
        raise Refusal(400, "InvalidTopInQueryString", f"The value '{text}' of $top is invalid: use a positive integer.")
    return int(text)
