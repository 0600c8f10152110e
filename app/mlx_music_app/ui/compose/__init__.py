"""Compose: the form that music is asked for with."""

from __future__ import annotations

from mlx_music_app.ui.compose.view import ComposeView

__all__ = ["ComposeView"]
