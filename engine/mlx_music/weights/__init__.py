"""Checkpoints: find, download, verify and strictly load them. Knows no network by name."""
