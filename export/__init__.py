"""From trained weights to the files that the tracker's engines run, each checked on real crops."""
