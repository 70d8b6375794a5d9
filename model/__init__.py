"""PropNet's contract: markups, crop, heatmaps, confidence, weights; the network in `model.network`.

What the tracker reads of it (markup, crop, heatmap, decoder, confidence, config, zoo, errors,
files) needs numpy and OpenCV only, so that it runs without torch; weights, complexity and
`model.network` need torch. Everything may import this package; it imports none of the others.
"""

from model.idle_threads import let_sleep
from model.telemetry import switch_off

# Both before the libraries are loaded.
switch_off()
let_sleep()
