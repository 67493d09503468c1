"""How well an encoder finds videos: captions, data sets, ranks, metrics, published rows.

Nothing here imports PyTorch.
"""
