"""Where results go: tables, crops, a window, a web page, packets for other programs.

Takes tracked frames, drawn or measured; knows neither sources nor engines.
"""
