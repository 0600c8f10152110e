"""How fast a model is on this machine, and how much memory it takes: `mlx-music bench`.

sizes: what is measured. subject: the model that is measured. stages: its parts as they are called,
the one file that knows them. flops: their arithmetic. timing: how a call is measured. startup: from
the command to the first step, in a fresh process. run: all of it. report, compare: what is told.

`sizes`, `flops`, `report` and `compare` need no MLX, so that other programs can use them.
"""
