"""Data sets as systems, and studies of how data is gathered, split and labelled."""
