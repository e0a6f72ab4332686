"""What is wrong with a file so far, and every code a problem may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from policyengine.model.diagnostic import Diagnostic, Severity, Span

CODES: Final[Mapping[str, str]] = {
    "alias-bomb": "aliases that refer to themselves or grow beyond all measure",
    "always-true": "two conditions of an `anyOf` of which one holds for every value",
    "ambiguous-reference": "a display name or file name that several documents have",
    "bare-literal": "`null`, `true` or `false` in JMESPath without backticks is the name of a field",
    "case-sensitive-match": "`match` tells upper from lower case",
    "constant-condition": "a condition with a constant on both sides",
    "contradiction": "two conditions of an `allOf` that no value can meet",
    "cycle": "things that wait for each other in a ring",
    "definition-out-of-reach": "an assignment outside the place its definition lives at",
    "deprecated-definition": "a reference to a definition that is marked deprecated",
    "double-negation": "`not` around a negation",
    "duplicate-condition": "the same condition twice in one group",
    "duplicate-key": "a key given twice in one mapping, also when only the case differs",
    "duplicate-name": "two documents of one kind with the same name and version",
    "effect-without-choices": "an effect parameter that allows every effect",
    "effect-without-disabled": "an effect parameter that does not allow `Disabled`",
    "empty-logic": "`allOf` or `anyOf` without a condition",
    "endless-exemption": "an exemption without an end",
    "exists-operand": "an `exists` with something other than true or false",
    "expired-exemption": "an exemption that is over",
    "frequent-schedule": "a schedule that runs more often than every five minutes",
    "handled-elsewhere": "a policy that a provider evaluates inside itself",
    "hard-coded-id": "the id of a subscription or a tenant in a rule",
    "idle-remediation": "continuous remediation where no effect writes",
    "invalid-catalogue": "a catalogue of aliases that is none",
    "invalid-date": "text that is no ISO 8601 date",
    "invalid-duration": "text that is no duration such as `30m`",
    "invalid-expression": "a template expression that cannot be right",
    "invalid-jmespath": "a JMESPath expression that cannot be right",
    "invalid-name": "a name that the documents, or the service behind them, do not allow",
    "invalid-reference": "text that names no definition, initiative and version",
    "invalid-schedule": "a schedule without a time, with two, or with a bad cron expression",
    "invalid-schema": "a schema of a parameter that is no JSON Schema, or that nothing is checked against",
    "invalid-scope": "text that is no place in the Resource Manager tree",
    "invalid-selector": "a selector, or a group of them, that cannot be",
    "invalid-source": "a Flux configuration with no source, with several, or with the wrong kind of one",
    "invalid-value": "a value that the service would refuse",
    "json-syntax": "text that is not JSON",
    "like-without-wildcard": "`like` with a pattern that has no `*`",
    "list-operand": "an `in` or `notIn` without a list",
    "literal-secret": "a secret written down where only a reference may stand",
    "location-spelling": "a location that is not spelt as Azure spells it",
    "long-description": "a description beyond 512 characters",
    "long-display-name": "a display name beyond 128 characters",
    "long-exemption": "an exemption for more than a year",
    "loose-existence": "an existence condition that an unrelated sibling can satisfy",
    "match-without-pattern": "`match` with none of `#`, `?` and `.`",
    "misplaced-secret": "a reference to a secret where the service takes none",
    "missing-key": "a key that has to be there",
    "missing-owner": "a policy that names nobody to ask",
    "missing-reference": "a name that no document has",
    "missing-roles": "an effect that writes, without the roles it needs",
    "missing-severity": "a policy that does not say how grave a finding is",
    "missing-version": "a policy without a version",
    "mixed-logic": "`allOf`, `anyOf` or `not` with another key beside it",
    "mode-all-on-tags": "a rule about tags or locations in the mode All",
    "negation-meets-missing": "a negated operator, which also holds where the field is missing",
    "not-allowed": "a value that the parameter does not allow",
    "not-exportable": "something that Azure's language has no words for",
    "not-modifiable": "an operation on an alias that cannot be modified",
    "not-scope-outside": "an exclusion of what the assignment does not include",
    "not-short": "a rule that the short form has no words for",
    "not-supported-yet": "a key or value that the format has and this release does not act on",
    "odd-evaluation-delay": "an `evaluationDelay` that Azure does not take",
    "odd-tag-name": "a tag that cannot be called so",
    "one-left-side": "a condition with no left-hand side, or with several",
    "one-operator": "a condition with no operator, or with several",
    "outside-assignment": "an exemption or enrollment of a place that its assignment does not reach",
    "over-limit": "more of something than Azure takes",
    "pointless-count": "a count compared so that the answer is always the same",
    "preview-version": "an assignment of a preview",
    "question-mark-wildcard": "`?` in the pattern of `like`",
    "schema-mismatch": "an object that does not fit the schema of its parameter",
    "several-wildcards": "more than one `*` in the pattern of `like`",
    "shadowed-override": "an override that an earlier one comes before",
    "single-value-list": "`in` with a list of one value",
    "template-expression": "text in a deployment template that can never be expanded",
    "template-function": "a function in a deployment template that only Resource Manager answers",
    "too-deep": "nesting beyond all measure",
    "too-large": "more conditions than a policy may have",
    "too-many": "so many problems that the rest is not listed",
    "too-many-conditions": "more conditions than Azure takes",
    "too-many-counts": "more counts than Azure takes",
    "too-many-parameters": "more parameters than Azure documents",
    "unclosed-expression": "text that begins like an expression and does not end like one",
    "undescribed-parameter": "a parameter without a description",
    "unknown-alias": "a field that the catalogue does not have for its resource type",
    "unknown-document": "a document that is none of the kinds this program reads",
    "unknown-effect": "an effect that Azure Policy does not have",
    "unknown-field": "a field that no resource has",
    "unknown-field-function": "`field()` of something that no resource has",
    "unknown-key": "a key that has no meaning where it stands",
    "unknown-operator": "an operator that the language does not have",
    "unknown-parameter": "a parameter that is not declared",
    "unknown-value": "a value outside the few that are possible",
    "unsupported-tag": "a YAML tag or merge key",
    "unused-parameter": "a parameter that nothing reads",
    "version-out-of-print": "a version that a published initiative asks for and nobody has",
    "weak-any-of": "an `anyOf` that holds for every object which leaves a field out",
    "whole-array-compared": "an array compared with a single value",
    "wrong-type": "a value of another kind than wanted",
    "yaml-syntax": "text that is not YAML",
}
"""Every code, and what it stands for. Codes are stable: people select and ignore problems by them."""


MAX_PROBLEMS: Final = 200
"""Of one file. Whoever has more mends some of them first."""


class TooMany(Exception):
    """Reading on serves nobody; what was found is in the `Problems`. Never leaves this folder."""


@dataclass(slots=True)
class Problems:
    """Collects diagnostics, so that a person sees all of them at once, and each of them once."""

    found: list[Diagnostic] = field(default_factory=list)
    most: int | None = None
    _seen: set[Diagnostic] = field(init=False)

    def __post_init__(self) -> None:
        self._seen = set(self.found)

    def error(self, code: str, message: str, span: Span | None, help: str | None = None) -> None:
        self._add(Diagnostic(code, message, span, help))

    def warning(self, code: str, message: str, span: Span | None, help: str | None = None) -> None:
        self._add(Diagnostic(code, message, span, help, Severity.WARNING))

    def _add(self, diagnostic: Diagnostic) -> None:
        if diagnostic in self._seen:
            return
        self._seen.add(diagnostic)
        self.found.append(diagnostic)
        if self.most is not None and len(self.found) > self.most:
            raise TooMany
