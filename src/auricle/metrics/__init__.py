"""How good an answer is: one module per family of metrics, in NumPy, each checked against a slow oracle in its test.

``classification`` (tags and classes), ``detection`` (events in time), ``retrieval`` (ranked lists), ``identification``
(same or not the same), ``separation`` (sources), ``captions`` (sentences). Conventions: scores are floats, higher is
surer; targets are 0 or 1, or the index of the one right class; what cannot be computed (the average precision of a
class without a positive) is NaN per class and left out of means.
"""
