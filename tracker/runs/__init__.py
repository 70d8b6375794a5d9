"""One job over one source, and many of them: in a row, in worker processes, on a Ray cluster.

Puts sources, tracking, drawing and outputs together; prints nothing itself, commands do.
"""
