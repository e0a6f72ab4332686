"""What expressions of one template see: its parameters and variables, evaluated when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from policyengine.errors import ExpressionError, TemplateError
from policyengine.expressions.compiled import ExpressionContext, Where, compile_value
from policyengine.model.diagnostic import did_you_mean
from policyengine.model.values import JSON, Nothing, get_folded, is_array
from policyengine.templates.live_reads import UNSUPPORTED
from policyengine.templates.parameters import check_value, given_values
from policyengine.templates.scope import DeploymentScope


def surroundings(template: Mapping[str, JSON], given: Mapping[str, JSON], scope: DeploymentScope) -> ExpressionContext:
    """The context of ``template`` deployed to ``scope`` with the parameters ``given``.

    Every parameter is checked at once, every variable when it is used. Raises TemplateError.
    """
    functions: dict[str, Callable[..., JSON]] = {
        **UNSUPPORTED,
        "subscription": lambda: scope.subscription,
        "deployment": lambda: {"name": scope.deployment_name},
    }
    if scope.resource_group is not None:
        functions["resourcegroup"] = lambda: scope.resource_group
    context = ExpressionContext(functions, at=scope.at, where=Where.TEMPLATE)
    # Parameters and variables may ask for each other, so they join the context they are evaluated in.
    parameters = _parameters(section(template, "parameters"), given, context)
    functions["parameters"] = parameters.get
    functions["variables"] = _variables(section(template, "variables"), context).get
    parameters.evaluate_all()
    return context


def evaluated(value: JSON, context: ExpressionContext, place: str) -> JSON:
    """``value`` with its expressions evaluated. ``place`` begins the message of the TemplateError it may raise."""
    try:
        result = compile_value(value, where=Where.TEMPLATE).evaluate(context)
    except (ExpressionError, TemplateError) as error:
        raise TemplateError(f"{place}: {error.message}", help=error.help) from error
    if isinstance(result, Nothing):
        raise TemplateError(f"{place}: the expression gives no result")
    return result


def section(template: Mapping[str, JSON], name: str) -> Mapping[str, JSON]:
    """The object ``name`` of a template, empty when absent or null."""
    value = get_folded(template, name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TemplateError(f"`{name}` of the template must be an object")
    return value


class _LazyValues:
    """Named values, each computed when first asked for. A value that needs itself is an error."""

    def __init__(self, noun: str, recipes: Mapping[str, Callable[[], JSON]]) -> None:
        self._noun = noun
        self._names = {name.casefold(): name for name in recipes}
        self._recipes = recipes
        self._known: dict[str, JSON] = {}
        self._open: list[str] = []

    def get(self, name: str) -> JSON:
        key = name.casefold()
        if key not in self._names:
            raise ExpressionError(
                f"the template has no {self._noun} `{name}`", help=did_you_mean(name, self._names.values())
            )
        if key not in self._known:
            self._known[key] = self._compute(self._names[key])
        return self._known[key]

    def evaluate_all(self) -> None:
        for name in self._names:
            self.get(name)

    def _compute(self, name: str) -> JSON:
        if name in self._open:
            circle = " → ".join([*self._open[self._open.index(name) :], name])
            raise TemplateError(f"{self._noun}s need each other in a circle: {circle}")
        self._open.append(name)
        try:
            return self._recipes[name]()
        finally:
            self._open.pop()


def _parameters(declared: Mapping[str, JSON], given: Mapping[str, JSON], context: ExpressionContext) -> _LazyValues:
    values = given_values(declared, given)

    def recipe(name: str, declaration: Mapping[str, JSON]) -> Callable[[], JSON]:
        def compute() -> JSON:
            if name.casefold() in values:
                return check_value(name, declaration, values[name.casefold()])
            default = evaluated(get_folded(declaration, "defaultValue"), context, f"default of parameter `{name}`")
            return check_value(name, declaration, default)

        return compute

    return _LazyValues("parameter", {name: recipe(name, declaration) for name, declaration in declared.items()})


def _variables(declared: Mapping[str, JSON], context: ExpressionContext) -> _LazyValues:
    if is_array(get_folded(declared, "copy")):
        raise TemplateError("`copy` in variables is not supported by this release", help="write the array out")

    def recipe(name: str) -> Callable[[], JSON]:
        return lambda: evaluated(declared[name], context, f"variable `{name}`")

    return _LazyValues("variable", {name: recipe(name) for name in declared})


def with_function(context: ExpressionContext, name: str, call: Callable[..., JSON]) -> ExpressionContext:
    """``context`` with one more function."""
    return replace(context, functions={**context.functions, name: call})
