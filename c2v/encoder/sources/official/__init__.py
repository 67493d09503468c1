"""Official CLIP2Video and CLIP4Clip checkpoints: read, understood, built, written back."""
