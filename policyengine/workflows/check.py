"""What the assigned policies would do to a request, without sending it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from policyengine.clock import Clock
from policyengine.compliance.admission import Admission, admit
from policyengine.errors import UsageError
from policyengine.model.resource import Resource, ResourceWrite
from policyengine.model.values import JSON
from policyengine.remediation.diff import changes
from policyengine.remediation.steps import FieldChange
from policyengine.store.store import Store
from policyengine.text.nodes import to_value
from policyengine.text.reader import read
from policyengine.workflows.files import read_text
from policyengine.workflows.load import load
from policyengine.workflows.settings import Settings
from policyengine.workflows.world import world_of


@dataclass(frozen=True)
class CheckedRequest:
    """``changes`` is what the policies make of the request, field by field, secrets masked."""

    admission: Admission
    changes: tuple[FieldChange, ...]


def check_request(settings: Settings, store: Store, clock: Clock, path: Path) -> CheckedRequest:
    """The file holds the body of the request with its ``id``. Management groups are those of the last sync.

    Raises UsageError for a file that holds no resource, PolicyError for one that is no JSON or YAML.
    """
    resource = _resource(path)
    loaded = load(settings.policies, settings.aliases)
    admission = admit(loaded.policies, resource, world_of(store.tree(), loaded.aliases, clock))
    after = admission.resource.document
    write = ResourceWrite(resource.id, "", {key: after[key] for key in after}, "PUT")
    changed = changes(resource.document, write) if after is not resource.document else ()
    return CheckedRequest(admission, changed)


def _resource(path: Path) -> Resource:
    try:
        nodes = read(read_text(path), str(path))
    except OSError as error:
        raise UsageError(f"`{path}` cannot be read: {error.strerror}") from error
    document: JSON = to_value(nodes[0]) if len(nodes) == 1 else None
    help = "put one resource into it, with the `id` it has or will have"
    if not isinstance(document, Mapping):
        raise UsageError(f"`{path}` holds no resource", help=help)
    try:
        return Resource.from_document(document)
    except ValueError as error:
        raise UsageError(f"`{path}` holds no resource: {error}", help=help) from error
