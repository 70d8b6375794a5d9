"""Where frames come from: files, folders, cameras, network streams, standard input.

Every source is a `video.frame_source.FrameSource`, opened by `open_source`. Imports `video` and
`system`.
"""
