"""Identify: which recording, which work, whose voice. One module per published system."""
