"""Finding faces in a picture without knowing where they were.

Our own running of MediaPipe's BlazeFace networks (`blazeface`, with `anchors`, `view` and
`suppression`), what to look at and in which order (`search_plan`, `face_detector`), and what a
detection says about the crop (`detection_region`). Imports `engines`, `system` and `assets`; knows
no tracking.
"""
