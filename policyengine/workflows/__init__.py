"""The verbs: each module walks one job end to end through the rooms below and returns values for people to read."""
