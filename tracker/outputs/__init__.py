"""Where results go: tables, crops, a window, a web page, packets for other programs.

Every one is an `output.Output` and is given `output.OutputFrame`s. Imports `drawing`, `measures`,
`video` and `system`; knows neither sources nor engines.
"""
