"""How Sketch is made: music rendered from a seed, captions for it, and the training on both."""
