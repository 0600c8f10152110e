"""Entropy rectifying guidance: an unconditional pass that knows the condition, but weakly.

In some blocks of each network queries are scaled by tau, which flattens attention and so weakens
what a condition says without removing it. Which blocks those are, each network says itself.
"""

from __future__ import annotations

ERG_TAU = 0.01
