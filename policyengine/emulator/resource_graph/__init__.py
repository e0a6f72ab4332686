"""Resource Graph: the part of its query language that inventories use, over tables made from what is there."""

from policyengine.emulator.resource_graph.errors import QueryError
from policyengine.emulator.resource_graph.index import GraphIndex
from policyengine.emulator.resource_graph.query import Result, run

__all__ = ["GraphIndex", "QueryError", "Result", "run"]
