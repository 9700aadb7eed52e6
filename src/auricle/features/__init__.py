"""Features of sound: log-mel spectrograms in NumPy (``mel``) and in torch (``logmel``, ``kaldi``)."""
