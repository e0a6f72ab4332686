"""What is remembered: the inventory, the state of every pair, plans and their progress, on SQLite or PostgreSQL."""
