"""The common vocabulary: the seven nouns, experiments and their runner, store, seeds, checks and statistics.

Nothing here imports torch or matplotlib when the module is loaded, so that a command line starts at once.
"""
