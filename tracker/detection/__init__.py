"""Finding faces in a picture without knowing where they were, and a portrait to try it on.

May import `system`, `video` and `sources`' neighbours below; knows no engine and no tracking.
"""
