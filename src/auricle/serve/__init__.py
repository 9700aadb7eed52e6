"""The library over HTTP: an API, the page that uses it, and tools for language models.

``auricle.serve.app.create_app`` makes the application; ``auricle serve`` runs it. Nothing here is imported by the rest
of auricle, and nothing is imported by this package itself, so a process that needs one part of it starts quickly.
"""
