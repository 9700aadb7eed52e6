"""Checkpoints of other frameworks, read as NumPy arrays without the framework: nothing in them is run or imported."""
