"""A small Azure: Resource Manager and Resource Graph over HTTP, answering as the contract says (§9), or not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from policyengine.inventory.graph_query import PATH
from policyengine.model.resource import AKS, ARC, EXTENSIONS

Row = dict[str, Any]
Page = tuple[int, Any]
Quirk = Callable[[Row, list[Row]], Page | None]
"""Sees the body of a query and the rows it would find; may answer in the server's stead."""

SUBSCRIPTIONS = [f"{n}{n}{n}{n}0000-0000-4000-8000-000000000000" for n in "abcd"]
TABLES = {"resources", "kubernetesconfigurationresources", "resourcecontainers", "securityresources"}
OPERATORS = re.compile(r"(\w+)((?: \| (?:where \w+ in~ \([^)]*\)|order by id asc))*)")
AMONG = re.compile(r"where (\w+) in~ \(([^)]*)\)")


def cluster_id(subscription: str, name: str, type: str = ARC, group: str = "Shops") -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{type}/{name}"


def row(id: str, **more: Any) -> Row:
    """As the tables give it: types and groups in lower case, a column for everything."""
    parts = id.split("/")
    name, type = parts[-1], "/".join(parts[-3:-1]).lower()
    return {
        "id": id,
        "name": name,
        "type": type,
        "tenantId": "tenant",
        "subscriptionId": parts[2],
        "resourceGroup": parts[4].lower(),
        "location": "",
        "kind": "",
        "managedBy": "",
        "plan": None,
        "tags": None,
        "properties": {},
        **more,
    }


@dataclass
class Azure:
    """Resource Manager and Resource Graph over the same resources, unless a test makes them differ."""

    resources: dict[str, Row] = field(default_factory=dict)
    listed: dict[str, Row] | None = None
    groups: list[str] = field(default_factory=lambda: ["Shops"])
    chains: bool = True
    page_size: int = 1000
    quirk: Quirk = lambda _body, _rows: None
    forbidden: set[str] = field(default_factory=set)
    queries: list[Row] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    url: str = ""

    def add(self, subscription: str, name: str, *, type: str = ARC, group: str = "Shops", **more: Any) -> None:
        id = cluster_id(subscription, name, type, group)
        self.resources[id] = row(id, location="norwayeast", tags={"site": name}, **more)
        extension = f"{id}/providers/{EXTENSIONS}/flux"
        self.resources[extension] = row(extension, properties={"ExtensionType": "microsoft.flux"})

    def answer(self, method: str, path: str, body: Row) -> Page:
        if method == "POST" and path == PATH:
            return self.graph(body)
        self.requests.append(path)
        return self.manager(path)

    def graph(self, body: Row) -> Page:
        self.queries.append(body)
        found = self.rows(body["query"], body["subscriptions"])
        if (told := self.quirk(body, found)) is not None:
            return told
        start = int(body["options"].get("$skipToken", 0))
        size = min(self.page_size, body["options"]["$top"])
        page: Row = {"totalRecords": len(found), "data": found[start : start + size], "facets": []}
        page |= {"count": len(page["data"]), "resultTruncated": "false"}
        if start + size < len(found):
            page["$skipToken"] = str(start + size)
        return 200, page

    def rows(self, query: str, subscriptions: list[str]) -> list[Row]:
        read = OPERATORS.fullmatch(query)
        assert read is not None, f"not an operator of the contract: {query}"
        assert read[1] in TABLES
        among = [(column, re.findall(r"'([^']+)'", values)) for column, values in AMONG.findall(query)]
        containers = [c for s in subscriptions for c in self.containers(s)]
        rows = [*self.resources.values(), *containers]
        found = [
            r
            for r in rows
            if r["subscriptionId"] in subscriptions
            and all(str(r.get(column, "")).lower() in {v.lower() for v in values} for column, values in among)
        ]
        return sorted(found, key=lambda r: r["id"]) if "order by id" in query else found

    def containers(self, subscription: str) -> list[Row]:
        id = f"/subscriptions/{subscription}"
        chain = [{"name": "edge", "displayName": "Edge"}, {"name": "contoso", "displayName": "Contoso"}]
        properties = {"managementGroupAncestorsChain": chain} if self.chains else {}
        base = {"subscriptionId": subscription, "tenantId": "tenant"}
        return [
            {**base, "id": id, "name": f"sub {subscription[0]}", "type": "microsoft.resources/subscriptions"}
            | {"properties": properties},
            *(
                {**base, "id": f"{id}/resourceGroups/{name}", "name": name, "location": "norwayeast"}
                | {"type": "microsoft.resources/subscriptions/resourcegroups", "tags": {"team": "shops"}}
                for name in self.groups
            ),
        ]

    def manager(self, path: str) -> Page:
        if path == "/subscriptions":
            return 200, {
                "value": [
                    {"id": f"/subscriptions/{s}", "subscriptionId": s, "displayName": f"sub {s[0]}", "state": "Enabled"}
                    for s in SUBSCRIPTIONS
                ]
            }
        if any(part in path for part in self.forbidden):
            return 403, {"error": {"code": "AuthorizationFailed", "message": "No leave."}}
        known = self.resources if self.listed is None else self.listed
        if path in known:
            return 200, as_listed(known[path])
        if path.endswith("/resourcegroups"):
            return 200, {"value": [{"id": f"{path}/Shops", "location": "norwayeast"}]}
        of_type = re.fullmatch(r"(/.+)/providers/([^/]+/[^/]+)", path)
        if of_type is None or not (path.count("/providers/") == 1 or of_type[1] in known):
            return 404, {"error": {"code": "ResourceNotFound", "message": "Not found."}}
        below = [as_listed(r) for r in known.values() if is_listed_at(r, of_type[1], of_type[2])]
        return 200, {"value": below}


def is_listed_at(row: Row, scope: str, type: str) -> bool:
    above: str = row["id"].rpartition(f"/providers/{type}/")[0]
    return row["type"] == type.lower() and (above == scope or above.startswith(f"{scope}/resourceGroups/"))


def as_listed(row: Row) -> Row:
    return {key: row[key] for key in ("id", "name", "type", "kind", "location", "properties")}


@contextmanager
def serving() -> Iterator[Azure]:
    """Four subscriptions with two clusters each."""
    azure = Azure()
    for subscription in SUBSCRIPTIONS:
        azure.add(subscription, f"{subscription[0]}-1")
        azure.add(subscription, f"{subscription[0]}-2", type=AKS)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, value = azure.answer(self.command, urlsplit(self.path).path, json.loads(body or b"null"))
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    azure.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield azure
    finally:
        http.shutdown()
        http.socket.close()
        thread.join()
