"""Extensions on a cluster. Source: configuration API §2; the rules themselves are in `extension_rules`."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Final

from policyengine.emulator import extension_rules as rules
from policyengine.emulator.answers import ArmRequest, Refusal, invalid_content
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.routes.lifecycle import Call, Draft, create, routes_for
from policyengine.emulator.routes.subscriptions import tenant_of
from policyengine.emulator.shapes import complete, merge, nulled_secrets, read, split_secrets
from policyengine.emulator.state import FLUX_EXTENSION, Record
from policyengine.model.resource import EXTENSIONS
from policyengine.model.values import JSON, get_folded


class ExtensionRules:
    type: Final = EXTENSIONS

    def missing(self, name: str) -> Refusal:
        return Refusal(404, "ResourceNotFound", f"Extension instance with name '{name}' not found.", cause="service")

    def put(self, call: Call, old: Record | None) -> Draft:
        name, settings = call.request["name"], call.emulator.settings
        rules.check_name(name)
        spec, secrets = split_secrets(rules.PROPERTIES, _properties(call.request))
        if old is not None:
            spec = rules.keep_create_only(old.spec, spec, refuse=settings.refuse_create_only)
            spec = spec if settings.put_replaces else merge(rules.PROPERTIES, old.spec, spec)
        spec = rules.normalise(complete(rules.PROPERTIES, spec), call.request.api_version)
        if settings.refuse_unknown_types:
            rules.check_known(str(spec["extensionType"]), call.emulator.catalogue.types())
        rules.check_single_instance(call.cluster, name, spec, settings.second_instance_status)
        spec = _with_aks_identity(call, spec, old)
        return Draft(spec, secrets, _envelope(call, old))

    def patch(self, call: Call, record: Record) -> Draft:
        asked = {name: value for name, value in _properties(call.request).items() if name in rules.PATCHABLE}
        patch, secrets = split_secrets(rules.PROPERTIES, asked)
        merged, forgotten = merge(rules.PROPERTIES, record.spec, patch), nulled_secrets(rules.PROPERTIES, asked)
        if not call.emulator.settings.merge_settings:
            merged.update({name: patch[name] for name in ("configurationSettings",) if name in patch})
            forgotten |= set(record.secrets.keys) if secrets else set()
        spec = rules.normalise(complete(rules.PROPERTIES, merged), call.request.api_version)
        return Draft(spec, secrets, record.envelope, forgotten)

    def blank_status(self) -> dict[str, JSON]:
        return copy.deepcopy(dict(rules.BLANK_STATUS))

    def written(self, call: Call, record: Record) -> None:
        record.status.update(statuses=[], errorInfo=None)
        call.emulator.agents.installation.resolve(call.cluster, record, call.request.at)


def install_flux(call: Call) -> None:
    """What a first Flux configuration brings with it: an extension named `flux` (G1, G2).

    One of another type that has the name already keeps it: then nothing is brought.
    """
    holder = call.cluster.find(EXTENSIONS, "flux")
    if holder is not None and holder.extension_type != FLUX_EXTENSION:
        return
    spec = rules.normalise(complete(rules.PROPERTIES, {"extensionType": FLUX_EXTENSION}), call.request.api_version)
    envelope = {"identity": _identity(call.emulator)} if call.cluster.is_arc else {}
    create(RULES, call, Draft(_with_aks_identity(call, spec, None), {}, envelope), "flux")


def _properties(request: ArmRequest) -> dict[str, JSON]:
    """The body's properties in canonical spelling, as sent."""
    if not isinstance(request.body, Mapping):
        raise invalid_content("an object is expected")
    found: dict[str, JSON] = read(rules.PROPERTIES, get_folded(request.body, "properties"), "properties") or {}
    return found


def _envelope(call: Call, old: Record | None) -> dict[str, JSON]:
    """Identity and plan as asked; what was left out, and whatever may only be set at creation, stays."""
    asked = complete(rules.ENVELOPE, read(rules.ENVELOPE, call.request.body, "body"))
    envelope: dict[str, JSON] = dict(old.envelope) if old else {}
    if asked.get("identity", {}).get("type", "None") != "None":
        if call.emulator.settings.refuse_aks_identity and not call.cluster.is_arc:
            message = "Failed to perform resource identity operation. Status: 'BadRequest'."
            raise Refusal(400, "FailedIdentityOperation", message)
        envelope.setdefault("identity", _identity(call.emulator))
    if "plan" in asked:
        rules.check_plan(asked["plan"])
        envelope["plan"] = asked["plan"]
    if "managedBy" in asked and old is None:
        envelope["managedBy"] = asked["managedBy"]
    return envelope


def _with_aks_identity(call: Call, spec: dict[str, JSON], old: Record | None) -> dict[str, JSON]:
    """What an extension on AKS acts as, of the kind it asked for; templates give it roles. Arc has none of it.

    The ids are the service's to give, once.
    """
    asked = spec.pop("aksAssignedIdentity", None) or {"type": "SystemAssigned"}
    if not call.cluster.is_arc:
        known = (old.spec.get("aksAssignedIdentity") if old else None) or {}
        given = {name: known.get(name) or value for name, value in _ids(call.emulator).items()}
        spec["aksAssignedIdentity"] = {**asked, **given}
    return spec


def _ids(emulator: Emulator) -> dict[str, JSON]:
    return {"principalId": emulator.identifiers.guid(), "tenantId": tenant_of(emulator)}


def _identity(emulator: Emulator) -> dict[str, JSON]:
    return {"type": "SystemAssigned", **_ids(emulator)}


RULES: Final = ExtensionRules()
ROUTES: Final = routes_for(RULES)
