"""Runs: the work orders and results through which steps speak to each other, and the history that is read from them.

A run has a folder `runs/<subject>/<run>/` in the lake. Its files are the only thing that goes from one step to the next.
"""
