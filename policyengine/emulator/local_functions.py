"""Functions made inside others, as pickle wants them: the place of their code, and what they hold on to.

Templates under deployment are full of them. The code itself is not written down, so the bytes are good only for the
program that wrote them.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import cache
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any, Final

_LOCAL: Final = "<locals>"


def is_local(value: object) -> bool:
    return isinstance(value, FunctionType) and _LOCAL in value.__qualname__


def reduced(function: FunctionType) -> tuple[Any, ...]:
    """As ``__reduce__`` would: the shell first and its contents later, for they may lead back to it."""
    cells = function.__closure__ or ()
    place = (function.__module__, function.__code__.co_qualname, function.__code__.co_firstlineno, len(cells))
    contents = ([cell.cell_contents for cell in cells], function.__defaults__, function.__kwdefaults__)
    return make, place, contents, None, None, fill


def make(module: str, qualname: str, line: int, cells: int) -> FunctionType:
    """The function, holding nothing yet. Raises LookupError when the program has no such code."""
    home = importlib.import_module(module)
    code = _codes(home)[qualname, line]
    return FunctionType(code, vars(home), closure=tuple(CellType() for _ in range(cells)))


def fill(function: FunctionType, contents: tuple[list[object], tuple[object, ...] | None, dict[str, object]]) -> None:
    held, function.__defaults__, function.__kwdefaults__ = contents
    for cell, value in zip(function.__closure__ or (), held, strict=True):
        cell.cell_contents = value


@cache
def _codes(module: ModuleType) -> dict[tuple[str, int], CodeType]:
    """Every piece of code of the module that stands inside a function."""
    return {
        (code.co_qualname, code.co_firstlineno): code
        for value in vars(module).values()
        for function in _functions(value)
        for code in _below(function.__code__)
    }


def _functions(value: object) -> Iterator[FunctionType]:
    if isinstance(value, FunctionType):
        yield value
    elif isinstance(value, type):
        for member in vars(value).values():
            found = (
                getattr(member, "fget", None) or getattr(member, "func", None) or getattr(member, "__func__", member)
            )
            if isinstance(found, FunctionType):
                yield found


def _below(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _below(constant)
