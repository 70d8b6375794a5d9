"""What landmarks tell: head pose, eye and mouth openings, blinks; all of them from points alone.

Pure geometry over `model.markup` and `tracking.results`; no pictures, no file but the generic face.
"""
