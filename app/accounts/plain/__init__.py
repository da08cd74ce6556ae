"""Signing in with tokens by nothing but Django and PyJWT."""
