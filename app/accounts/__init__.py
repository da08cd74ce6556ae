"""Who uses the project: users, their passwords and their tokens."""
