"""Views of a face that were never photographed: moved, spoiled, covered, blinking, turned.

Pictures and points in, pictures and points out; knows nothing of learning.
"""
