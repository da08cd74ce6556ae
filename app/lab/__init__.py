"""What the lab asks of the project: life signs, identity, and work of a known length."""
