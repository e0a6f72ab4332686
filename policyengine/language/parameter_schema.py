"""The `schema` of an object parameter: JSON Schema 2019-09. The one door to the package that knows it.

Nothing is ever fetched: a reference that leads out of the schema cannot be followed, and that is said. The package is
loaded when a schema is met, which for most libraries is never: it takes longer than everything else at the start.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from policyengine.model.values import JSON

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError


def schema_problem(schema: JSON) -> str | None:
    """What is wrong with the schema itself, as the end of a sentence about it."""
    from jsonschema import Draft201909Validator

    validator = Draft201909Validator(Draft201909Validator.META_SCHEMA)
    try:
        error = next(validator.iter_errors(schema), None)
    except RecursionError:
        return "is nested beyond all measure"
    return f"is no JSON Schema{_told(error)}" if error is not None else None


def violation(schema: JSON, value: JSON) -> str | None:
    """Why ``value`` does not fit, or why nobody can tell, as the end of a sentence about it; None when it fits."""
    from jsonschema import Draft201909Validator
    from jsonschema.exceptions import best_match
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        error = best_match(Draft201909Validator(schema, registry=Registry()).iter_errors(value))
    except Unresolvable as unresolvable:
        return f"cannot be checked: its schema refers to `{unresolvable.ref}`, which is not in it"
    except RecursionError:
        return "cannot be checked: its schema refers to itself without end"
    except re.error as problem:
        return f"cannot be checked: a pattern of its schema is no regular expression: {problem}"
    return f"does not fit its schema{_told(error)}" if error is not None else None


def _told(error: ValidationError) -> str:
    """The place in the value and what is wrong there, on one line."""
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
    place = f" at `{path.lstrip('.')}`" if path else ""
    text = " ".join(error.message.split())
    return f"{place}: {text if len(text) <= 120 else text[:119] + '…'}"
