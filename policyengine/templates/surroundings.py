"""What expressions of one template see: its parameters and variables, evaluated when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from policyengine.errors import ExpressionError, TemplateError
from policyengine.expressions.compiled import ExpressionContext, Where
from policyengine.expressions.limits import check_size
from policyengine.model.diagnostic import did_you_mean
from policyengine.model.values import JSON, get_folded
from policyengine.templates.compiled import is_loop
from policyengine.templates.copy import array_of, evaluated
from policyengine.templates.live_reads import NEVER_ANSWERED, OnlyWhole, Reader
from policyengine.templates.parameters import check_value, given_values
from policyengine.templates.scope import DeploymentScope


def surroundings(
    template: Mapping[str, JSON], given: Mapping[str, JSON], scope: DeploymentScope, reader: Reader
) -> ExpressionContext:
    """The context of ``template`` deployed to ``scope`` with the parameters ``given``.

    Every parameter is checked at once, every variable when it is used. Raises TemplateError, or OnlyWhole.
    """
    if get_folded(template, "functions"):
        raise OnlyWhole("its template defines functions of its own")
    functions: dict[str, Callable[..., JSON]] = {
        **NEVER_ANSWERED,
        "reference": reader.reference,
        "subscription": lambda: scope.subscription,
        "deployment": lambda: scope.deployment_value,
        "tenant": lambda: _tenant(scope),
    }
    if scope.resource_group is not None:
        functions["resourcegroup"] = lambda: scope.resource_group
    functions.update(reader.own)
    _refuse_huge(template)
    context = ExpressionContext(functions, at=scope.at, where=Where.TEMPLATE)
    # Parameters and variables may ask for each other, so they join the context they are evaluated in.
    parameters = _parameters(section(template, "parameters"), given, context)
    functions["parameters"] = parameters.get
    functions["variables"] = _variables(section(template, "variables"), context).get
    parameters.evaluate_all()
    return context


def _refuse_huge(template: Mapping[str, JSON]) -> None:
    try:
        check_size(template)
    except ExpressionError as error:
        raise TemplateError(f"the template is too large: {error.message}") from error


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
    """The variables, those that a `copy` among them makes included."""

    def recipe(name: str) -> Callable[[], JSON]:
        return lambda: evaluated(declared[name], context, f"variable `{name}`")

    def looped(turn: Mapping[str, JSON], name: str) -> Callable[[], JSON]:
        return lambda: array_of(turn, context, f"variable `{name}`", name)

    recipes: dict[str, Callable[[], JSON]] = {}
    for name, value in declared.items():
        if is_loop(name, value):
            recipes |= {str(get_folded(turn, "name")): looped(turn, str(get_folded(turn, "name"))) for turn in value}
        else:
            recipes[name] = recipe(name)
    return _LazyValues("variable", recipes)


def _tenant(scope: DeploymentScope) -> JSON:
    id = get_folded(scope.subscription, "tenantId")
    if not id:
        raise OnlyWhole("only Resource Manager knows what `tenant()` gives")
    return {"id": f"/tenants/{id}", "tenantId": id}
