"""Signing in with a session cookie, as Django does it."""
