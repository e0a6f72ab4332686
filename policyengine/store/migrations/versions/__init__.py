"""The revisions, oldest first. A published one is never edited: what changes later comes as a new file."""
