"""Features of sound computed without torch: log-mel spectrograms."""
