"""Deployments: templates carried out step by step, through the same routes as every other request."""
