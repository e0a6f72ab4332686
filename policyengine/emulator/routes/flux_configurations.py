"""Flux configurations on a cluster. Source: configuration API §3; the rules themselves are in `flux_rules`."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Final

from policyengine.emulator import flux_rules as rules
from policyengine.emulator.answers import ArmRequest, Refusal, invalid_content
from policyengine.emulator.kustomization_rules import known_kustomizations
from policyengine.emulator.routes.extensions import install_flux
from policyengine.emulator.routes.lifecycle import Call, Draft, routes_for
from policyengine.emulator.shapes import complete, merge, nulled_secrets, read, split_secrets
from policyengine.emulator.state import Record
from policyengine.model.resource import FLUX_CONFIGURATIONS
from policyengine.model.values import JSON, get_folded


class FluxConfigurationRules:
    type: Final = FLUX_CONFIGURATIONS

    def missing(self, name: str) -> Refusal:
        return Refusal(404, "ResourceNotFound", f"FluxConfiguration with name '{name}' not found.", cause="service")

    def put(self, call: Call, old: Record | None) -> Draft:
        sent = whole = _properties(call.request)
        rules.check_name(call.request["name"])
        if old is not None:
            settings = call.emulator.settings
            whole = rules.keep_create_only(old.spec, sent, refuse=settings.refuse_create_only)
            whole = whole if settings.put_replaces else merge(rules.PROPERTIES, old.spec, whole)
        return _draft(call, whole, old, sent)

    def patch(self, call: Call, record: Record) -> Draft:
        sent = _properties(call.request)
        asked = rules.keep_create_only(record.spec, sent, refuse=call.emulator.settings.refuse_create_only)
        forgotten = nulled_secrets(rules.PROPERTIES, sent)
        return _draft(call, merge(rules.PROPERTIES, record.spec, asked), record, sent, forgotten)

    def blank_status(self) -> dict[str, JSON]:
        return copy.deepcopy(dict(rules.BLANK_STATUS))

    def written(self, call: Call, record: Record) -> None:
        emulator = call.emulator
        record.status["errorMessage"] = ""
        record.public_key = record.public_key or emulator.identifiers.public_key()
        record.status["repositoryPublicKey"] = record.public_key if _uses_key_pair(record) else ""
        kept = emulator.settings.keeps_secrets(call.request.method)
        record.secrets.lost = record.secrets.lost or (not kept and record.secrets.values is None)
        emulator.agents.controllers.watch_limit(record, call.request.at)
        if emulator.settings.auto_install_flux and call.cluster.flux_extension() is None:
            install_flux(call)


def _properties(request: ArmRequest) -> dict[str, JSON]:
    """The body's properties in canonical spelling, as sent."""
    if not isinstance(request.body, Mapping):
        raise invalid_content("an object is expected")
    found: dict[str, JSON] = read(rules.PROPERTIES, get_folded(request.body, "properties"), "properties") or {}
    return found


def _draft(
    call: Call,
    properties: dict[str, JSON],
    old: Record | None,
    sent: dict[str, JSON],
    forgotten: frozenset[str] = frozenset(),
) -> Draft:
    _, secrets = split_secrets(rules.PROPERTIES, sent)
    public, _ = split_secrets(rules.PROPERTIES, properties)
    spec = complete(rules.PROPERTIES, public)
    spec["kustomizations"] = rules.named(spec.get("kustomizations"))
    taken_away = (known_kustomizations(old.spec) if old else ()) if call.emulator.settings.check_dependencies else None
    known = [key for key in old.secrets.keys if key not in forgotten] if old else ()
    rules.check(call.request["name"], spec, secrets, known, taken_away)
    return Draft(spec, secrets, {}, forgotten)


def _uses_key_pair(record: Record) -> bool:
    """An ssh url without a key of the user's own: the configuration's key pair is used (G18)."""
    _, source = rules.source_of(record.spec)
    own = {key.casefold() for key in record.secrets.keys}
    return rules.is_ssh(str(source["url"])) and "sshprivatekey" not in own


RULES: Final = FluxConfigurationRules()
ROUTES: Final = routes_for(RULES)
