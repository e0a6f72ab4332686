"""Why a query cannot be answered."""

from __future__ import annotations


class QueryError(Exception):
    """``code`` is `ParserFailure` for text that is no query, `InvalidQuery` for one that means nothing here.

    Source: configuration API, "Resource Graph".
    """

    def __init__(self, message: str, *, code: str = "InvalidQuery") -> None:
        super().__init__(message)
        self.code = code


def parser_failure(message: str, line: int, column: int) -> QueryError:
    return QueryError(f"{message} (line {line}, position {column})", code="ParserFailure")
