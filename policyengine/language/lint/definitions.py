"""Rules about a definition as a whole: its parameters, its effect and details, its metadata, its size."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from policyengine.language.aliases import AliasCatalogue, FieldKind, classify_field
from policyengine.language.documents import PolicyDefinition
from policyengine.language.lint.base import (
    Finding,
    constant_of,
    effect_given,
    effect_parameter,
    is_ours,
    texts_in,
    texts_of,
)
from policyengine.language.providers import PROVIDER_EFFECTS, handler_of, is_provider_mode
from policyengine.language.syntax import Count, Field, JMESPath, Value
from policyengine.language.walk import conditions_in, conditions_of, field_names
from policyengine.model.values import get_folded

MAX_DISPLAY_NAME: Final = 128
MAX_DESCRIPTION: Final = 512
MAX_PARAMETERS: Final = 20
MAX_CONDITIONS: Final = 4096
MAX_EXISTENCE_CONDITIONS: Final = 128
MAX_VALUE_COUNTS: Final = 10
MAX_FIELD_COUNTS: Final = 5

_PARAMETERS_CALL: Final = re.compile(r"parameters\(\s*(?:'((?:[^']|'')*)')?", re.IGNORECASE)
_GUID: Final = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_SUBSCRIPTION: Final = re.compile(rf"/subscriptions/({_GUID})", re.IGNORECASE)
_ONLY_GUID: Final = re.compile(_GUID, re.IGNORECASE)
_PLACES: Final = re.compile(r"subscription(id|\(\))|tenantid", re.IGNORECASE)
_DELAYS: Final = frozenset({"afterprovisioning", "afterprovisioningsuccess", "afterprovisioningfailure"})
_ISO_DURATION: Final = re.compile(r"PT(?=\d)(?:(\d{1,4})H)?(?:(\d{1,5})M)?(?:(\d{1,6})S)?", re.IGNORECASE)


def unused_parameter(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """Declared, and read nowhere. Nothing is said where the name of a parameter is computed."""
    read: set[str] = set()
    for text, _ in texts_of(definition):
        for match in _PARAMETERS_CALL.finditer(text):
            if match[1] is None:
                return
            read.add(match[1].replace("''", "'").casefold())
    for condition in conditions_of(definition):
        if isinstance(condition.operand, JMESPath):
            read |= {p for p in definition.parameters if p in condition.operand.expression.text.casefold()}
    for folded, parameter in definition.parameters.items():
        if folded not in read:
            yield Finding(f"parameter `{parameter.name}` is not used", parameter.span, "remove it, or read it")


def undescribed_parameter(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """Whoever assigns the policy sees only the name. A parameter that gives the effect explains itself."""
    effect = effect_parameter(definition)
    for parameter in definition.parameters.values():
        said = any(get_folded(parameter.metadata, key) for key in ("description", "displayName"))
        if not said and parameter is not effect:
            help = "add `metadata: {description: …}`"
            yield Finding(f"parameter `{parameter.name}` has no description", parameter.span, help)


def effect_without_disabled(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """Without it, the policy cannot be switched off in an initiative."""
    parameter = effect_parameter(definition)
    values = parameter.allowed_values if parameter is not None else None
    if parameter is not None and values is not None and "disabled" not in {str(v).casefold() for v in values}:
        help = "add `Disabled` to its `allowedValues`"
        yield Finding("the effect cannot be switched off", parameter.span, help)


def effect_without_choices(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """Any effect could be assigned, those that the details do not fit included."""
    parameter = effect_parameter(definition)
    if parameter is not None and parameter.allowed_values is None:
        help = "list those that the details fit, and `Disabled`, under `allowedValues`"
        yield Finding(f"parameter `{parameter.name}` allows every effect", parameter.span, help)


def missing_roles(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """An assignment's identity gets its roles from here. Source: policy language §6, §6.5."""
    raw = definition.then.raw
    if effect_given(definition, {}) not in {"deployifnotexists", "modify"} or not isinstance(raw, Mapping):
        return
    if not get_folded(raw, "roleDefinitionIds"):
        span = definition.then.span or definition.span
        yield Finding("the details name no `roleDefinitionIds`", span, "add the roles that the change needs")


def odd_evaluation_delay(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """A word, or 0 to 360 minutes as an ISO 8601 duration. Source: policy language §6.3."""
    raw = definition.then.raw
    delay = get_folded(raw, "evaluationDelay") if isinstance(raw, Mapping) else None
    if not isinstance(delay, str) or delay.startswith("[") or delay.casefold() in _DELAYS:
        return
    match = _ISO_DURATION.fullmatch(delay)
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    if match is None or hours * 60 + minutes + seconds / 60 > 360:
        help = "write `AfterProvisioning…`, or `PT0M` to `PT360M`"
        yield Finding(f"`evaluationDelay` cannot be `{delay}`", definition.then.span or definition.span, help)


def hard_coded_id(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """The id of a subscription or a tenant in a rule makes it a rule for one place."""
    help = "take it from a parameter, `subscription()` or the assignment's scope"
    for text, span in texts_of(definition):
        for match in _SUBSCRIPTION.finditer(text):
            yield Finding(f"the subscription `{match[1]}` is written into the rule", span, help)
    for condition in conditions_of(definition):
        operand = condition.operand
        left = operand.name.source if isinstance(operand, Field) else None
        left = operand.value.source if isinstance(operand, Value) else left
        if isinstance(left, str) and _PLACES.search(left):
            for text in texts_in(constant_of(condition.expected)):
                if _ONLY_GUID.fullmatch(text):
                    yield Finding(f"the id `{text}` is written into the rule", condition.span, help)


def mode_all_on_tags(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """Types that have no tags or location fail such a rule for ever. Source: policy language §1.2."""
    if (definition.mode or "").casefold() != "all":
        return
    names = [name for condition in conditions_in(definition.condition) for name in field_names(condition)]
    about = [classify_field(name) for name in names]
    if about and all(f.kind is FieldKind.TAG or f.name in {"tags", "location"} for f in about):
        help = "choose the mode `Indexed`, or ask for a `type`"
        yield Finding("the mode All looks at types that have neither tags nor location", definition.span, help)


def long_display_name(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """Source: policy language §1.1."""
    if (length := len(definition.display_name)) > MAX_DISPLAY_NAME:
        help = f"Azure documents {MAX_DISPLAY_NAME}"
        yield Finding(f"`displayName` has {length} characters", definition.span, help)


def long_description(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """Source: policy language §1.1."""
    if (length := len(definition.description)) > MAX_DESCRIPTION:
        yield Finding(f"`description` has {length} characters", definition.span, f"Azure takes {MAX_DESCRIPTION}")


def missing_version(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """Without a version an assignment takes every change at once."""
    if is_ours(definition) and definition.version is None:
        yield Finding(f"policy `{definition.name}` has no version", definition.span, "add `version: 1.0.0`")


def missing_owner(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """Whoever gets the finding wants to know whom to ask."""
    if is_ours(definition) and not definition.owner:
        yield Finding(f"policy `{definition.name}` has no owner", definition.span, "add `owner:` to its metadata")


def missing_severity(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """Reports and `--fail-on` go by it; without one it is medium."""
    if is_ours(definition) and get_folded(definition.metadata, "severity") is None:
        help = "add `severity: low`, `medium`, `high` or `critical`"
        yield Finding(f"policy `{definition.name}` has no severity", definition.span, help)


def too_many_parameters(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """Source: policy language §1.3, the published limits."""
    if (count := len(definition.parameters)) > MAX_PARAMETERS:
        yield Finding(f"{count} parameters", definition.span, f"Azure documents {MAX_PARAMETERS} for a definition")


def too_many_conditions(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """Source: policy language §5.5, "Authoring limits"."""
    details = definition.then.details
    then = details.existence_condition if details is not None else None
    for logic, place, most in (
        (definition.condition, "if", MAX_CONDITIONS),
        (then, "then", MAX_EXISTENCE_CONDITIONS),
    ):
        if (count := sum(1 for _ in conditions_in(logic))) > most:
            yield Finding(f"`{place}` has {count} conditions", definition.span, f"Azure takes {most}")


def too_many_counts(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """Source: policy language §5.5, "Authoring limits"."""
    counts = [c.operand for c in conditions_of(definition) if isinstance(c.operand, Count)]
    values = sum(isinstance(count.over, Value) for count in counts)
    if values > MAX_VALUE_COUNTS:
        yield Finding(f"{values} value counts", definition.span, f"Azure takes {MAX_VALUE_COUNTS} in a rule")
    arrays = [str(count.over.name.source).casefold() for count in counts if isinstance(count.over, Field)]
    for array in dict.fromkeys(arrays):
        if (number := arrays.count(array)) > MAX_FIELD_COUNTS:
            help = f"Azure takes {MAX_FIELD_COUNTS} of one array"
            yield Finding(f"`{array}` is counted {number} times", definition.span, help)


def handled_elsewhere(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """A provider evaluates it inside itself: it has no state here. Source: policy language §1.2."""
    effect = definition.then.effect
    name = str(effect.constant) if effect.is_constant else ""
    if is_provider_mode(definition.mode) or name.casefold() in {known.casefold() for known in PROVIDER_EFFECTS}:
        message = f"policy `{definition.name}` is {handler_of(definition.mode, name)}"
        help = "it has no compliance state here; assign it in Azure"
        yield Finding(message, definition.span, help)
