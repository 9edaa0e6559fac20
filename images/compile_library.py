"""Compiles the standard library of an image's base: `python compile_library.py`.

The official slim images come without its bytecode, and a container that may not write would compile the same modules
again at each start: a third of a second for a step.
"""

import compileall
import re
import sys
import sysconfig

UNUSED = re.compile("/(site-packages|dist-packages|test|idlelib|lib2to3|tkinter|turtledemo|ensurepip|pydoc_data)/")

if __name__ == "__main__":
    sys.exit(not compileall.compile_dir(sysconfig.get_path("stdlib"), quiet=1, rx=UNUSED))
