"""The MLX Music desktop app."""
