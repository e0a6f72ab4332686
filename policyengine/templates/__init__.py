"""A deployment template × parameters → the writes it stands for and the reads it needs. Fetches and sends nothing."""

from policyengine.templates.expand import Expansion, expand
from policyengine.templates.live_reads import Answer, Answers, LiveRead
from policyengine.templates.scope import DeploymentScope

__all__ = ["Answer", "Answers", "DeploymentScope", "Expansion", "LiveRead", "expand"]
