"""A query ends at its limits in seconds, memory and bytes, and its process with it, whatever the statement is."""

import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from crypto_lakehouse.errors import InvalidRequest, LakehouseError
from crypto_lakehouse.query import Lake, QueryLimits
from crypto_lakehouse.query.process import QueryEngine
from crypto_lakehouse.query.question import Question
from crypto_lakehouse.query.session import answer
from tests.waiting import wait_until
