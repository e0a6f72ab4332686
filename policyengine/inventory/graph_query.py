"""Questions to Resource Graph and all of their rows.

INVARIANT: an answer that lacks rows is never taken for a whole one: the count must be reached.
Source: configuration API §9.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from policyengine.errors import InventoryError
from policyengine.inventory.graph_rows import Document, id_of
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON, get_folded, is_array

if TYPE_CHECKING:
    from policyengine.arm.client import ArmClient

PATH: Final = "/providers/Microsoft.ResourceGraph/resources"
API_VERSION: Final = "2024-04-01"
ROWS_A_PAGE: Final = 1000
SUBSCRIPTIONS_A_QUERY: Final = 200


class CutShort(Exception):
    """A result that lacks rows: fewer subscriptions at once may fit. Its text says how many."""


class TooMany(Exception):
    """A result with more rows than were wanted at once: ``count`` of them."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


def query_of(table: str, types: Iterable[str], **among: Iterable[str]) -> str:
    """Every row of the types; ``among`` names columns and the values of which each row has one, without case."""
    wanted = {"type": [type.casefold() for type in types], **among}
    filters = [f"where {column} in~ ({', '.join(map(_quoted, values))})" for column, values in wanted.items()]
    # Ordered by id: pages of an unordered result may repeat rows and miss others.
    return " | ".join((table, *filters, "order by id asc"))


async def rows_of(
    arm: ArmClient, query: str, subscriptions: Sequence[ResourceId], *, most: int | None = None
) -> list[Document]:
    """Every row, once.

    Raises CutShort when some are missing, TooMany when there are more than ``most``, InventoryError for an answer that
    is no result, ArmError.
    """
    found: dict[ResourceId, Document] = {}
    least, token, seen = None, "", set[str]()
    while True:
        page = await arm.query(PATH, API_VERSION, _body(query, subscriptions, token))
        data, total = get_folded(page, "data"), get_folded(page, "totalRecords")
        if not is_array(data) or not all(isinstance(row, Mapping) for row in data) or not isinstance(total, int):
            raise InventoryError("Resource Graph gave something that is no list of rows")
        if most is not None and total > most:
            raise TooMany(total)
        found.update((id_of(row), row) for row in data)
        least = total if least is None else min(least, total)
        token = str(get_folded(page, "$skipToken") or "")
        if not token:
            break
        if token in seen:
            raise InventoryError("Resource Graph leads from page to page without an end")
        seen.add(token)
    if str(get_folded(page, "resultTruncated")).casefold() == "true" or len(found) < least:
        raise CutShort(f"Resource Graph showed {len(found)} of {least} rows")
    return list(found.values())


def _body(query: str, subscriptions: Sequence[ResourceId], token: str) -> dict[str, JSON]:
    options: dict[str, JSON] = {"resultFormat": "objectArray", "$top": ROWS_A_PAGE}
    if token:
        options["$skipToken"] = token
    return {"subscriptions": [id.name for id in subscriptions], "query": query, "options": options}


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
