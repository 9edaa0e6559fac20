"""What carries out a step: one small module per runner, behind one protocol."""
