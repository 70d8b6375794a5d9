"""What faces look like in a picture: layers, styles, strokes with sub-pixel ends.

Takes tracked faces (`tracking.results`) and measures; knows neither sources nor outputs.
"""
