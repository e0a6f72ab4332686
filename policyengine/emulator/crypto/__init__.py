"""Certificates for https, and the lock on the state file: the only place that knows the library `cryptography`."""
