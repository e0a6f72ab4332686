"""The rules of `checker.py`, by what they look at. None of them changes what a policy means."""
