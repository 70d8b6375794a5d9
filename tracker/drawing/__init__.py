"""What faces look like in a picture: layers, styles, strokes with sub-pixel ends.

Imports `measures` and what tracking gives back; knows neither sources nor outputs.
"""
