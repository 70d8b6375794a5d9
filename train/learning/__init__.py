"""Learning: batches, losses, the step, the loop around it, and what makes a run resumable.

`trainer.Trainer` is the run; `run` and the trials start it and say what they see.
"""
