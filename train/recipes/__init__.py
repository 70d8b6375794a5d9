"""What decides how a network is trained: recipes and their YAML files, and the settings of a run.

Every constant with its reason. No torch: recipes can be read and checked anywhere.
"""
