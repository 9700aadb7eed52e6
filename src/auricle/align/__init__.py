"""Align: systems that put sound and language into one space. One module per published system."""
