"""YAML and JSON in and out: text becomes nodes that remember where they stand, values become text."""
