"""Policies × clusters → states, and why."""
