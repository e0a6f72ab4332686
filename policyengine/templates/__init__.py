"""A deployment template × parameters → the resource writes it stands for, in order. Reads nothing, sends nothing."""

from policyengine.templates.expand import expand
from policyengine.templates.scope import DeploymentScope

__all__ = ["DeploymentScope", "expand"]
