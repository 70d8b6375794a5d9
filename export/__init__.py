"""From trained weights to the files that the tracker's engines run, each checked on real crops."""

import model  # noqa: F401  (it stops libraries from reporting, before any is loaded here)
