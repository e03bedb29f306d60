"""The service over HTTP (API and portal) and the command line."""
