"""Which value each parameter has: what was given, else the default; every problem named with who gave what to whom.

An explicit value beats the default even when it is null. Checks are strict: they happen when assigning.
Source: policy language §1.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from policyengine.language.documents import Parameter
from policyengine.language.parameters import mismatch, suggestion
from policyengine.model.diagnostic import Diagnostic, Span, did_you_mean
from policyengine.model.values import JSON, Nothing


@dataclass(frozen=True, slots=True)
class Given:
    """Values for the parameters of one document, and the words that place them in a message.

    ``values`` and ``spans`` are keyed by the name as written; ``giver`` is who gives them (``assignment `edge` ``),
    ``taker`` who declares them (``policy `flux` ``). ``span`` serves where a value has no place of its own.
    """

    values: Mapping[str, JSON]
    giver: str
    taker: str
    span: Span | None = None
    spans: Mapping[str, Span] = field(default_factory=dict)

    def span_of(self, name: str) -> Span | None:
        return next((span for key, span in self.spans.items() if key.casefold() == name.casefold()), self.span)


def resolve(declared: Mapping[str, Parameter], given: Given) -> tuple[dict[str, JSON], list[Diagnostic]]:
    """The value of every declared parameter by folded name, and every problem; a problem leaves its parameter out."""
    written = {name.casefold(): name for name in given.values}
    problems = [_unknown(name, declared, given) for folded, name in written.items() if folded not in declared]
    values: dict[str, JSON] = {}
    for folded, parameter in declared.items():
        if folded not in written and isinstance(parameter.default, Nothing):
            problems.append(_missing(parameter, given))
            continue
        value = given.values[written[folded]] if folded in written else parameter.default
        problem = _misfit(parameter, value, given) if folded in written else None
        if problem is None:
            values[folded] = value
        else:
            problems.append(problem)
    return values, problems


def _unknown(name: str, declared: Mapping[str, Parameter], given: Given) -> Diagnostic:
    names = [parameter.name for parameter in declared.values()]
    known = f"it has {', '.join(f'`{n}`' for n in names)}" if names else "it has no parameters"
    return Diagnostic(
        "unknown-parameter",
        f"{given.giver} sets `{name}`, which {given.taker} does not have",
        given.span_of(name),
        did_you_mean(name, names) or known,
    )


def _missing(parameter: Parameter, given: Given) -> Diagnostic:
    return Diagnostic(
        "missing-key",
        f"{given.giver} gives no value for parameter `{parameter.name}` of {given.taker}",
        given.span,
        f"add `{parameter.name}` under `parameters`: it has no default",
    )


def _misfit(parameter: Parameter, value: JSON, given: Given) -> Diagnostic | None:
    found = mismatch(parameter, value)
    if found is None:
        return None
    code, text = found
    message = f"{given.giver}: parameter `{parameter.name}` of {given.taker} {text}"
    return Diagnostic(code, message, given.span_of(parameter.name), suggestion(parameter, value))
