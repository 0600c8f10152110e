"""How "MLX Music.app" is built: `python -m resources.packaging`; its steps are in `steps`."""
