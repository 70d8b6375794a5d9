"""Constants of the product that were fitted once: these commands print them, nothing imports them.

They stay runnable so that a changed markup, detector or data set can be fitted again.
"""
