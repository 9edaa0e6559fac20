"""`make up`: Airflow with its UI on one machine, until it is interrupted."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import urllib3
from rich.console import Console

from crypto_lakehouse.children import bound_to_us
from crypto_lakehouse.demo.airflow_home import REPOSITORY, airflow_environment, prepare
from crypto_lakehouse.demo.place import latest_place, served, shown
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.settings import load_settings

PROGRAMS = {
    "api-server": ("api-server",),
    # This machine's logs are read from their files. Their servers would listen on all interfaces.
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
PORT_VARIABLE = "AIRFLOW_PORT"
_AIRFLOW_PORT_VARIABLE = "AIRFLOW__API__PORT"
_GRACE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Opened:
    """What an Airflow works on.

    Args:
        environment: Its variables.
        about: Lines that tell the reader.
    """

    environment: Mapping[str, str]
    about: Sequence[str]


def up(console: Console) -> int:
    """Runs Airflow with its UI until a signal ends it, then ends all its processes.

    Returns:
        The exit code: 0 after a signal, 1 if Airflow did not start or a part of it ended.

    Raises:
        InvalidRequest: The port is taken or is no port, or the configuration is not valid.
        SourceUnavailable: A server or Airflow's database could not be prepared.
    """
    port = chosen_port(os.environ)
    with _ended_by_signals() as ended, opened() as chosen:
        for line in chosen.about:
            console.print(line, highlight=False)
        environment = {**chosen.environment, **_addresses(port)}
        if not ended.is_set():
            prepare(environment)
        log = Path(environment["AIRFLOW_HOME"]) / "up.log"
        console.print(f"Starting Airflow ... [dim]its log is {shown(log)}[/]", highlight=False)
        with _running(environment, log, console) as processes:
            if not _is_answering(port, processes, ended):
                return _code(processes, ended, log, console)
            console.print(f"[green]Airflow is ready[/]: http://127.0.0.1:{port}   Ctrl-C ends it.", highlight=False)
            while not ended.wait(1) and _first_ended(processes) is None:
                pass
            return _code(processes, ended, log, console)


def chosen_port(variables: Mapping[str, str]) -> int:
    """Returns the port of the UI: AIRFLOW_PORT, else Airflow's own variable, else 8080.

    Raises:
        InvalidRequest: It is no port, or another program uses it.
    """
    text = variables.get(PORT_VARIABLE) or variables.get(_AIRFLOW_PORT_VARIABLE) or "8080"
    advice = f"Choose another one: make up {PORT_VARIABLE}=8081"
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise InvalidRequest(f"{text} is not a port", advice)
    with socket.socket() as probe:
        # As servers do: a port whose connections have just ended is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(text)))
        except OSError as error:
            raise InvalidRequest(f"port {text} is in use, or may not be used: {error.strerror}", advice) from error
    return int(text)


@contextmanager
def opened() -> Iterator[Opened]:
    """Yields the lake that the environment names, else the lake of the latest demonstration, else the configured one.

    Raises:
        InvalidRequest: The configuration is not valid.
        SourceUnavailable: A server of the demonstration did not start.
    """
    place = None if "CRYPTO_LAKEHOUSE_LAKE" in os.environ else latest_place()
    if place is None:
        settings = load_settings()
        lake = settings.lake if "://" in settings.lake else str(Path(settings.lake).absolute())
        source = f"Source  {settings.archive.endpoint_url}, bucket {settings.archive.bucket}"
        yield Opened(airflow_environment(REPOSITORY / ".airflow", lake), (f"Lake    {lake}", source))
        return
    with served(place) as environment:
        about = [f"Lake    {shown(place.lake)}, made by `make demo` from {place.title}"]
        if place.is_synthetic:
            about.append("        No price in it is real. Trigger a DAG with days from 2024-12-30 to 2025-01-03.")
        about.append("        For another lake: CRYPTO_LAKEHOUSE_LAKE=lake make up")
        yield Opened(environment, about)


def _addresses(port: int) -> dict[str, str]:
    url = f"http://127.0.0.1:{port}"
    return {
        _AIRFLOW_PORT_VARIABLE: str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
    }


@contextmanager
def _ended_by_signals() -> Iterator[threading.Event]:
    """Yields an event that Ctrl-C, SIGTERM and the end of the terminal set."""
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _running(
    environment: Mapping[str, str], log: Path, console: Console
) -> Iterator[dict[str, "subprocess.Popen[bytes]"]]:
    """Starts the programs of Airflow, each in a session of its own, and ends them and all that they started."""
    with ExitStack() as stack, log.open("wb") as output:
        processes = {
            name: subprocess.Popen(  # noqa: S603  our own interpreter, an argument list
                bound_to_us([sys.executable, "-m", "airflow", *arguments], signal.SIGTERM),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            for name, arguments in PROGRAMS.items()
        }
        stack.callback(_end, list(processes.values()), console)
        yield processes


def _end(processes: "Sequence[subprocess.Popen[bytes]]", console: Console) -> None:
    console.print("Ending Airflow ...")
    for process in processes:
        _signal_group(process, signal.SIGTERM)
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_GRACE_SECONDS)
    for process in processes:
        # Also what a program left behind.
        _signal_group(process, signal.SIGKILL)
        process.wait()


def _signal_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _first_ended(processes: Mapping[str, "subprocess.Popen[bytes]"]) -> str | None:
    return next((name for name, process in processes.items() if process.poll() is not None), None)


def _is_answering(port: int, processes: Mapping[str, "subprocess.Popen[bytes]"], ended: threading.Event) -> bool:
    """Waits until the UI answers. Returns False if a program ended first, or a signal came."""
    with urllib3.PoolManager(retries=False, timeout=5.0) as pool:
        while not ended.wait(0.2) and _first_ended(processes) is None:
            with suppress(urllib3.exceptions.HTTPError):
                if pool.request("GET", f"http://127.0.0.1:{port}/").status == 200:
                    return True
    return False


def _code(
    processes: Mapping[str, "subprocess.Popen[bytes]"], ended: threading.Event, log: Path, console: Console
) -> int:
    name = _first_ended(processes)
    if ended.is_set() or name is None:
        return 0
    console.print(f"[red]Airflow's {name} ended with exit code {processes[name].returncode}[/]; see {shown(log)}")
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
    console.print("\n".join(lines), highlight=False, markup=False)
    return 1
