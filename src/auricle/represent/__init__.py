"""Represent: encoders that turn sound into vectors (and tags). One module per published system."""
