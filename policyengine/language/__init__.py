"""Nodes → documents → conditions: what authors wrote, checked and compiled, every problem named with its place."""
