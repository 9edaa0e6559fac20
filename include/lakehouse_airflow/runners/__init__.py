"""Runners carry out steps: one small module per runner, behind one protocol."""
