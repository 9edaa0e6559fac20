"""Compiles the standard library of an image's base: `python compile_library.py`.

The official slim images contain no bytecode, and a container with a read-only root would compile the same modules at
each start. That takes a third of a second per step.
"""

import compileall
import re
import sys
import sysconfig

UNUSED = re.compile("/(site-packages|dist-packages|test|idlelib|lib2to3|tkinter|turtledemo|ensurepip|pydoc_data)/")

if __name__ == "__main__":
    sys.exit(not compileall.compile_dir(sysconfig.get_path("stdlib"), quiet=1, rx=UNUSED))
