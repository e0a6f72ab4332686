"""Declarative policy for fleets of Kubernetes clusters: scan, explain, plan, remediate, report."""

__version__ = "0.1.0"
