"""Template expressions `"[concat(…)]"` and JMESPath: compiled once, evaluated against a context that is passed in."""
