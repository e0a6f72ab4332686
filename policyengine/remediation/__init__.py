"""From findings to a plan: which requests, in which order, what they change, and what forbids them. Writes nothing."""
