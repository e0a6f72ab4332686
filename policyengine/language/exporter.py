"""Documents → the JSON that Azure takes. Azure's own documents come out as they went in.

What Azure has no words for is refused, or left out where that only makes a policy ask for less, or shown, as the
`Manner` says; each time with its place. Source: experience, "Policy file format", column "Exportable".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from policyengine.language.azure import is_azure
from policyengine.language.details import effect_parameter
from policyengine.language.documents import Parameter, PolicyDefinition
from policyengine.language.exportable import Obstacle, obstacles_in, obstacles_of
from policyengine.language.problems import Problems
from policyengine.language.rule_writer import write_logic, write_value
from policyengine.language.secrets import PROTECTED_SETTINGS
from policyengine.language.syntax import AllOf, ExistenceDetails, Logic
from policyengine.model.values import JSON, UNDEFINED, get_folded
from policyengine.text.nodes import Entry, MappingNode, to_value

DEFINITION_TYPE: Final = "Microsoft.Authorization/policyDefinitions"
DEFAULT_MODE: Final = "Indexed"
"""What Azure takes for a definition without a mode. Source: policy language §1.2."""

OWN_KEYS: Final = frozenset({"name", "displayname", "description"})
"""Of `metadata`, folded: what has a place of its own in Azure's documents."""
_ENVELOPE: Final = ("id", "name", "type", "systemData")
_WRITING: Final = frozenset({"deployifnotexists", "modify"})


class Manner(Enum):
    """What becomes of a thing that Azure has no words for."""

    REFUSE = "refuse"
    LEAVE_OUT = "leave out"  # where the rest asks for less than before; else refuse
    SHOW = "show"  # as it is, with a warning: for people to read


@dataclass(frozen=True, slots=True)
class Losses:
    """Notes every obstacle as an error or, where it is left out or only shown, as a warning."""

    problems: Problems
    manner: Manner

    def note(self, obstacle: Obstacle, help: str | None = None, *, loosens: bool = False) -> bool:
        """True when what stands there is to be left out, which ``loosens`` allows."""
        leave_out = loosens and self.manner is Manner.LEAVE_OUT
        if leave_out or self.manner is Manner.SHOW:
            suffix = ": left out" if leave_out else ""
            self.problems.warning("not-exportable", obstacle.reason + suffix, obstacle.span)
        else:
            self.problems.error("not-exportable", obstacle.reason, obstacle.span, help)
        return leave_out


def export_definition(definition: PolicyDefinition, node: MappingNode, losses: Losses) -> dict[str, JSON]:
    """The document as Resource Manager has it: `name`, `type`, `properties`. ``node`` is what it was read from."""
    for obstacle in obstacles_of(definition):
        losses.note(obstacle)
    _check_limits(definition, losses.problems)
    if is_azure(node):
        for obstacle in obstacles_in(definition.then.details.existence_condition if definition.then.details else None):
            losses.note(obstacle)
        return enveloped(node, definition.name, DEFINITION_TYPE)
    then: dict[str, JSON] = {"effect": write_value(definition.then.effect)}
    if (details := _details(definition, node, losses)) is not None:
        then["details"] = details
    _check_roles(definition, losses.problems)
    properties: dict[str, JSON] = {
        "displayName": definition.display_name,
        "policyType": "Custom",
        "mode": definition.mode or DEFAULT_MODE,
        "description": definition.description,
        "metadata": _metadata(definition),
        "parameters": write_parameters(definition.parameters),
        "policyRule": {"if": write_logic(definition.condition), "then": then},
    }
    return {"name": definition.name, "type": DEFINITION_TYPE, "properties": compact(properties)}


def enveloped(node: MappingNode, name: str, type: str) -> dict[str, JSON]:
    """An Azure document with its `properties` in an envelope, around them when it has none."""
    value: dict[str, JSON] = to_value(node)
    if isinstance(node.get("properties"), MappingNode):
        return value
    envelope = {key: item for key, item in value.items() if key.casefold() in {k.casefold() for k in _ENVELOPE}}
    inner = {key: item for key, item in value.items() if key not in envelope}
    properties = inner if get_folded(inner, "if") is None else {"policyRule": inner}
    return {"name": name, "type": type, **envelope, "properties": properties}


def compact(properties: Mapping[str, JSON]) -> dict[str, JSON]:
    """Without what is empty or absent."""
    return {key: value for key, value in properties.items() if value is not None and value not in ("", {}, [])}


def write_parameters(parameters: Mapping[str, Parameter]) -> dict[str, JSON]:
    """The inverse of `parse_parameters`."""
    return {parameter.name: _parameter(parameter) for parameter in parameters.values()}


def _parameter(parameter: Parameter) -> dict[str, JSON]:
    written: dict[str, JSON] = {"type": parameter.type}
    if parameter.metadata:
        written["metadata"] = parameter.metadata
    if parameter.schema is not None:
        written["schema"] = parameter.schema
    if parameter.allowed_values is not None:
        written["allowedValues"] = list(parameter.allowed_values)
    if parameter.default is not UNDEFINED:
        written["defaultValue"] = parameter.default
    return written


def _metadata(definition: PolicyDefinition) -> dict[str, JSON]:
    """What describes the policy, and what only this program acts on."""
    described = {key: value for key, value in definition.metadata.items() if key.casefold() not in OWN_KEYS}
    depends_on = [str(reference) for reference in definition.depends_on]
    return compact({**described, "dependsOn": depends_on, "nonComplianceMessage": definition.non_compliance_message})


def _check_roles(definition: PolicyDefinition, problems: Problems) -> None:
    """Azure refuses a definition that may write without saying with which role. Source: policy language §6."""
    then = definition.then
    parameter = effect_parameter(then, definition.parameters)
    effects = [then.effect.constant] if then.effect.is_constant else []
    if parameter is not None:
        effects = [parameter.default, *(parameter.allowed_values or ())]
    owner = then.details or then.modification
    writes = any(isinstance(effect, str) and effect.casefold() in _WRITING for effect in effects)
    if writes and owner is not None and not owner.role_definition_ids:
        message = "Azure takes no policy that writes without `roleDefinitionIds`"
        help = "name the roles of the identity that writes, such as Contributor's id"
        problems.error("not-exportable", message, owner.span, help)


_LIMITS: Final = (("name", 64), ("display_name", 128), ("description", 512))
"""Characters. Source: policy language §1.1; Azure's naming rules."""


def _check_limits(definition: PolicyDefinition, problems: Problems) -> None:
    for name, limit in _LIMITS:
        length = len(getattr(definition, name))
        if length > limit and definition.policy_type != "BuiltIn":
            noun = name.replace("_", " ")
            problems.warning(
                "over-limit", f"the {noun} has {length} characters, and Azure takes {limit}", definition.span
            )


def _details(definition: PolicyDefinition, node: MappingNode, losses: Losses) -> JSON:
    typed = definition.then.details
    if typed is None or typed.desired is None:
        for obstacle in obstacles_in(typed.existence_condition if typed else None):
            losses.note(obstacle)
        return definition.then.raw
    return _required(typed, node, losses)


def _required(details: ExistenceDetails, node: MappingNode, losses: Losses) -> dict[str, JSON]:
    """What `require` and `reconciled` mean, written out."""
    assert details.deployment is not None
    condition = details.existence_condition
    assert isinstance(condition, AllOf)
    kept = [part for part in condition.conditions if not _is_left_out(part, node, losses)]
    arguments = {name: value.source for name, value in details.deployment.parameters.items()}
    if _leaves_secrets_out(node, losses):
        arguments["properties"] = _without_secrets(arguments["properties"])
    return compact(
        {
            "type": write_value(details.type),
            "name": write_value(details.name) if details.name is not None else None,
            "roleDefinitionIds": list(details.role_definition_ids),
            "existenceCondition": write_logic(AllOf(tuple(kept))),
            "deployment": {
                "properties": {
                    "mode": "incremental",
                    "parameters": arguments,
                    "template": details.deployment.template,
                }
            },
        }
    )


def _is_left_out(part: Logic, node: MappingNode, losses: Losses) -> bool:
    """Whether one thing that is asked of the object goes; what cannot be said of it is noted."""
    reconciled = _at(node, "spec", "reconciled")
    if reconciled is not None and part.span == reconciled.span:
        reason = "`reconciled` asks how old an object is, which Azure cannot tell"
        return losses.note(Obstacle(reason, part.span), _LOSSY_HELP, loosens=True)
    noted = [losses.note(obstacle, _LOSSY_HELP, loosens=True) for obstacle in obstacles_in(part)]
    return any(noted)


_LOSSY_HELP: Final = "`--lossy` leaves it out: what is missing is still written, and no longer compared"


def _leaves_secrets_out(node: MappingNode, losses: Losses) -> bool:
    left_out = False
    for entry in _secrets(node):
        reason = f"`{entry.name}` refers to secrets that Azure cannot reach"
        help = "`--lossy` leaves them out: they are to be put on the object by other means"
        left_out |= losses.note(Obstacle(reason, entry.key.span), help, loosens=True)
    return left_out


def _secrets(node: MappingNode) -> Iterator[Entry]:
    require = _at(node, "spec", "require")
    for body in require.value if require is not None and isinstance(require.value, MappingNode) else ():
        found = body.value.entry(PROTECTED_SETTINGS) if isinstance(body.value, MappingNode) else None
        if found is not None:
            yield found


def _without_secrets(argument: JSON) -> JSON:
    return {"value": {key: item for key, item in argument["value"].items() if key != PROTECTED_SETTINGS}}


def _at(node: MappingNode, *path: str) -> Entry | None:
    """The entry that the keys lead to."""
    entry = node.entry(path[0])
    if len(path) == 1 or entry is None or not isinstance(entry.value, MappingNode):
        return entry if len(path) == 1 else None
    return _at(entry.value, *path[1:])
