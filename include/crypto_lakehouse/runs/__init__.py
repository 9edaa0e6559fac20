"""Runs: the work orders and results that go from one step to the next, and the history that is read from them.

A run has a folder `runs/<subject>/<run>/` in the lake. Nothing else goes from step to step.
"""
