"""From trained weights to the files that the tracker's engines run, each checked on real crops."""

from model.telemetry import switch_off

switch_off()
