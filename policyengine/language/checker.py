"""What is allowed but probably not meant: one rule per row of RULES, each giving warnings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from policyengine.language.aliases import AliasCatalogue
from policyengine.language.library import PolicyLibrary
from policyengine.language.lint import assignments, conditions, definitions, fields, templates
from policyengine.language.lint.base import Project, Rule, each_definition
from policyengine.language.problems import Problems
from policyengine.model.diagnostic import Diagnostic


def check(library: PolicyLibrary, aliases: AliasCatalogue, *, at: datetime | None = None) -> tuple[Diagnostic, ...]:
    """Warnings of every rule about every document, sorted by place; those about time only with an instant ``at``."""
    problems = Problems()
    project = Project(library, aliases, at)
    for code, rule in RULES.items():
        for found in rule(project):
            problems.warning(code, found.message, found.span, found.help)
    return tuple(sorted(problems.found, key=lambda d: d.sort_key))


RULES: Final[Mapping[str, Rule]] = {
    "always-true": each_definition(conditions.always_true),
    "bare-literal": each_definition(conditions.bare_literal),
    "case-sensitive-match": each_definition(conditions.case_sensitive_match),
    "constant-condition": each_definition(conditions.constant_condition),
    "contradiction": each_definition(conditions.contradiction),
    "definition-out-of-reach": assignments.definition_out_of_reach,
    "deprecated-definition": assignments.deprecated_definition,
    "double-negation": each_definition(conditions.double_negation),
    "duplicate-condition": each_definition(conditions.duplicate_condition),
    "effect-without-choices": each_definition(definitions.effect_without_choices),
    "effect-without-disabled": each_definition(definitions.effect_without_disabled),
    "endless-exemption": assignments.endless_exemption,
    "exists-operand": each_definition(conditions.exists_operand),
    "expired-exemption": assignments.expired_exemption,
    "frequent-schedule": assignments.frequent_schedule,
    "handled-elsewhere": each_definition(definitions.handled_elsewhere),
    "hard-coded-id": each_definition(definitions.hard_coded_id),
    "idle-remediation": assignments.idle_remediation,
    "like-without-wildcard": each_definition(conditions.like_without_wildcard),
    "list-operand": each_definition(conditions.list_operand),
    "location-spelling": each_definition(fields.location_spelling),
    "long-description": each_definition(definitions.long_description),
    "long-display-name": each_definition(definitions.long_display_name),
    "long-exemption": assignments.long_exemption,
    "loose-existence": each_definition(fields.loose_existence),
    "match-without-pattern": each_definition(conditions.match_without_pattern),
    "missing-owner": each_definition(definitions.missing_owner),
    "missing-roles": each_definition(definitions.missing_roles),
    "missing-severity": each_definition(definitions.missing_severity),
    "missing-version": each_definition(definitions.missing_version),
    "mode-all-on-tags": each_definition(definitions.mode_all_on_tags),
    "negation-meets-missing": each_definition(conditions.negation_meets_missing),
    "not-modifiable": each_definition(fields.not_modifiable),
    "not-scope-outside": assignments.not_scope_outside,
    "odd-evaluation-delay": each_definition(definitions.odd_evaluation_delay),
    "odd-tag-name": each_definition(fields.odd_tag_name),
    "pointless-count": each_definition(conditions.pointless_count),
    "preview-version": assignments.preview_version,
    "question-mark-wildcard": each_definition(conditions.question_mark_wildcard),
    "several-wildcards": each_definition(conditions.several_wildcards),
    "single-value-list": each_definition(conditions.single_value_list),
    "template-expression": each_definition(templates.template_expression),
    "template-function": each_definition(templates.template_function),
    "too-many-conditions": each_definition(definitions.too_many_conditions),
    "too-many-counts": each_definition(definitions.too_many_counts),
    "too-many-parameters": each_definition(definitions.too_many_parameters),
    "unclosed-expression": each_definition(conditions.unclosed_expression),
    "undescribed-parameter": each_definition(definitions.undescribed_parameter),
    "unknown-alias": each_definition(fields.unknown_alias),
    "unknown-field": each_definition(fields.unknown_field),
    "unknown-field-function": each_definition(fields.unknown_field_function),
    "unused-parameter": each_definition(definitions.unused_parameter),
    "weak-any-of": each_definition(conditions.weak_any_of),
    "whole-array-compared": each_definition(fields.whole_array_compared),
}
"""Code → rule. Each has its meaning in problems.CODES, a row in docs/diagnostics.md and cases in tests/conformance."""
