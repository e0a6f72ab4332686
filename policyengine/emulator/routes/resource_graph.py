"""`POST /providers/Microsoft.ResourceGraph/resources`: scopes, paging, formats. Source: configuration API §9.

A result that does not fit on a page is kept for the pages to come, so these neither repeat nor miss a row.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from policyengine.emulator.answers import Answer, ArmRequest, Refusal, error_detail, invalid_content
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.resource_graph.errors import QueryError
from policyengine.emulator.resource_graph.query import Result, object_array, run, table_format
from policyengine.emulator.routes.graph_tables import Reader, read_table
from policyengine.emulator.routing import Route
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON, get_folded

PATH: Final = "/providers/Microsoft.ResourceGraph/resources"
MOST_ROWS: Final = 1000
MOST_SUBSCRIPTIONS: Final = 10_000
"""More than these are answered in part, when the request says `allowPartialScopes`, or not at all."""


@dataclass(frozen=True, slots=True)
class Options:
    top: int = MOST_ROWS
    skip: int = 0
    token: str | None = None
    table: bool = False
    partial: bool = False


def _query(emulator: Emulator, request: ArmRequest) -> Answer:
    if not isinstance(request.body, Mapping):
        raise invalid_content("an object is expected")
    text = get_folded(request.body, "query")
    if not isinstance(text, str) or not text.strip():
        raise _bad("The query is missing.", "InvalidQuery")
    if get_folded(request.body, "facets"):
        raise _bad("Facets are not answered by this emulator: summarize by the column instead.", "InvalidQuery")
    options = _options(get_folded(request.body, "options"))
    result, start, token = _result(emulator, request, text, options)
    return Answer(200, _page(emulator, result, start, token, options))


def _result(emulator: Emulator, request: ArmRequest, text: str, options: Options) -> tuple[Result, int, str]:
    """The result, the row to begin with, and the name under which it is or will be kept."""
    if options.token is not None:
        token, start = _read_token(options.token)
        kept = emulator.graph.kept(token)
        if kept is not None:
            return kept, start, token
    else:
        token, start = emulator.identifiers.guid(), options.skip
    return _run(emulator, request, text, options), start, token


def _run(emulator: Emulator, request: ArmRequest, text: str, options: Options) -> Result:
    subscriptions = _subscriptions(emulator, request, options)
    reader = Reader(request.caller.as_of_now(), subscriptions)
    lag = emulator.faults.lag(request.method, request.path)
    try:
        return run(text, lambda name: read_table(emulator, name, reader, request.at, lag), request.at)
    except QueryError as error:
        raise _bad(str(error), error.code) from error


def _subscriptions(emulator: Emulator, request: ArmRequest, options: Options) -> frozenset[str]:
    """Folded ids of those asked for; without any, all. Raises Refusal when the caller sees none of them."""
    tree, body = emulator.state.tree, request.body
    asked, groups = get_folded(body, "subscriptions"), get_folded(body, "managementGroups")
    known = {s.subscription_id.casefold(): s for s in tree.subscriptions}
    if asked:
        known = {key: s for key, s in known.items() if key in {str(id).casefold() for id in asked}}
    elif groups:
        scopes = [ResourceId.for_management_group(str(name)) for name in groups]
        known = {key: s for key, s in known.items() if any(tree.contains(scope, s.id) for scope in scopes)}
    if len(known) > MOST_SUBSCRIPTIONS:
        if not options.partial:
            raise _bad(f"The query covers more than {MOST_SUBSCRIPTIONS} subscriptions.", "TooManySubscriptions")
        known = dict(sorted(known.items())[:MOST_SUBSCRIPTIONS])
    seen = frozenset(key for key, s in known.items() if request.caller.sees(s.id))
    if known and not seen:
        request.caller.demand("Microsoft.ResourceGraph/resources/read", next(iter(known.values())).id)
    return seen


def _page(emulator: Emulator, result: Result, start: int, token: str, options: Options) -> dict[str, JSON]:
    rows = result.table.rows[start : start + options.top]
    rest = len(result.table.rows) > start + len(rows)
    body: dict[str, JSON] = {
        "totalRecords": len(result.table.rows),
        "count": len(rows),
        "resultTruncated": "true" if rest and not result.pageable else "false",
        "data": table_format(result.table, rows) if options.table else object_array(result.table, rows),
        "facets": [],
    }
    if not rest:
        emulator.graph.forget(token)
    elif result.pageable:
        emulator.graph.keep(token, result)
        body["$skipToken"] = base64.b64encode(f"{token}:{start + len(rows)}".encode()).decode()
    return body


def _options(value: JSON) -> Options:
    if value is None:
        return Options()
    if not isinstance(value, Mapping):
        raise invalid_content("'options' must be an object")
    layout = str(get_folded(value, "resultFormat") or "objectArray").casefold()
    if layout not in {"objectarray", "table"}:
        raise _bad(f"The resultFormat '{layout}' is invalid: use objectArray or table.", "InvalidOptions")
    token = get_folded(value, "$skipToken")
    return Options(
        top=_number(value, "$top", MOST_ROWS, least=1, most=MOST_ROWS),
        skip=_number(value, "$skip", 0, least=0, most=None),
        token=str(token) if token else None,
        table=layout == "table",
        partial=get_folded(value, "allowPartialScopes") is True,
    )


def _number(value: Mapping[str, JSON], name: str, default: int, *, least: int, most: int | None) -> int:
    said = get_folded(value, name)
    if said is None:
        return default
    if not isinstance(said, int) or isinstance(said, bool) or said < least or (most is not None and said > most):
        allowed = f"from {least} to {most}" if most is not None else f"of at least {least}"
        raise _bad(f"The value '{said}' of {name} is invalid: use a number {allowed}.", "InvalidOptions")
    return said


def _read_token(text: str) -> tuple[str, int]:
    try:
        token, _, start = base64.b64decode(text, validate=True).decode().partition(":")
        return token, int(start)
    except (binascii.Error, ValueError):
        raise _bad("The $skipToken is invalid: use it as it was given.", "InvalidSkipToken") from None


def _bad(message: str, code: str) -> Refusal:
    return Refusal(
        400,
        "BadRequest",
        "Please provide below info when asking for support: timestamp and correlationId.",
        details=(error_detail(code, message),),
        cause="service",
    )


ROUTES: Final = (Route(PATH, {"POST": _query}),)
