"""Receivers of callbacks and subscriptions as integrators write them, started as programs of their own."""
