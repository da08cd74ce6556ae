"""Signing in with tokens by Django REST Framework and simplejwt."""
