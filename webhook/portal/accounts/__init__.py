"""Resellers, Enterprises, Users and their numbers, Carriers, and API tokens."""
