"""What landmarks tell: head pose, eye and mouth openings, blinks; all of them from points alone.

Geometry over `model.markup` and `tracking.results`; no file but the generic face's.
"""
