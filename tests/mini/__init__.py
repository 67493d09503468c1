"""How the encoder that ships with c2v was made: ``python -m tests.mini``.

Two pretrained towers are taken as they are, EfficientNet-Lite0 for pictures and all-MiniLM-L6-v2
for texts. What is trained is a projection on each side, into one space of 512 dimensions, on the
photos and captions of Flickr8k. The pretrained weights come from the packages named in
:mod:`tests.mini.sources`; they are inputs of this script, not dependencies of c2v.

Every step computes the features it trains on with the very classes and rounded weights that a
search uses later, so that the projections learn to live with the rounding.
"""
