"""Classify: from sounds to labels, few-shot and with few parameters. One module per published system."""
