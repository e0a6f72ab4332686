"""Azure's own definitions about clusters load unchanged; all others do in `tests/compliance/test_corpus.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import Initiative, PolicyDefinition
from policyengine.language.parser import parse_documents

NAMED = (
    "Deploy-GitOps-Flux2-Extension-to-Kubernetes-cluster_DINE",
    "Deploy-GitOps-Flux2-to-Kubernetes-cluster-no-secrets_DINE",
    "ArcPolicyExtension_DINE",
)
RESOURCE_MANAGER = Path("azure-policy/definitions/public/resource-manager")


@pytest.mark.parametrize("name", NAMED)
def test_the_flux_and_policy_built_ins_load_with_their_deployment(
    corpus: Path, aliases: AliasCatalogue, name: str
) -> None:
    text = (corpus / RESOURCE_MANAGER / f"{name}.json").read_text(encoding="utf-8")
    parsed = parse_documents(text, f"{name}.json", aliases)
    (definition,) = parsed.documents

    assert parsed.diagnostics == ()
    assert isinstance(definition, PolicyDefinition)
    assert definition.policy_type == "BuiltIn"
    assert definition.azure_id is not None
    details = definition.then.details
    assert details is not None
    assert details.existence_condition is not None
    assert details.deployment is not None
    assert details.deployment.template["resources"]


def test_every_definition_about_clusters_loads(corpus: Path, aliases: AliasCatalogue) -> None:
    files = sorted(corpus.glob("azure-policy/definitions/*/*/*.json"))
    found = [parse_documents(file.read_text(encoding="utf-8"), file.name, aliases) for file in files]

    assert len(files) > 200
    assert [d for parsed in found for d in parsed.diagnostics] == []
    assert all(isinstance(document, PolicyDefinition) for parsed in found for document in parsed.documents)


def test_every_initiative_about_clusters_loads(corpus: Path, aliases: AliasCatalogue) -> None:
    files = sorted(corpus.glob("azure-policy/sets/*/*.json"))
    found = [parse_documents(file.read_text(encoding="utf-8"), file.name, aliases) for file in files]

    assert len(files) > 20
    assert [d for parsed in found for d in parsed.diagnostics] == []
    assert all(isinstance(document, Initiative) for parsed in found for document in parsed.documents)
