"""The project: settings, addresses, and what both interfaces share."""
