"""Lists as Resource Manager gives them: a page of values and, if there is more, an absolute link to the next.

The link names the last id given, so what is created or deleted in between shifts nothing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from urllib.parse import quote, urlencode

from policyengine.emulator.answers import Answer, ArmRequest, Refusal
from policyengine.model.values import JSON

Document = Mapping[str, JSON]


def page(request: ArmRequest, values: Sequence[Document], size: int) -> Answer:
    """One page of ``values``, which are in folded id order."""
    return page_of(request, lambda after: (v for v in values if after is None or folded_id(v) > after), size)


def page_of(request: ArmRequest, later: Callable[[str | None], Iterable[Document]], size: int) -> Answer:
    """The same of what ``later`` gives: all that stands behind a folded id, in folded id order.

    Takes one document more than it shows, so a page costs the same wherever it stands in a list of any length.
    """
    shown = min(size, _top(request.query.get("$top"), size))
    found = list(islice(later(_last_id(request.query.get("$skiptoken"))), shown + 1))
    body: dict[str, JSON] = {"value": found[:shown]}
    if len(found) > shown:
        body["nextLink"] = _next_link(request, folded_id(found[shown - 1]))
    return Answer(200, body)


def folded_id(document: Document) -> str:
    return str(document["id"]).casefold()


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
