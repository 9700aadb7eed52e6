"""Layers and losses in torch that several systems share."""
