"""What the drivers of programs with a screen share: the lines, the arguments, the processes and their end."""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path


def emit(**event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def arguments(*names):
    parser = argparse.ArgumentParser()
    for name in ("--jid", "--host", "--dir", *names):
        parser.add_argument(name, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--contact", action="append", default=[])
    parser.add_argument("--room", action="append", default=[], help="one that is in the bookmarks")
    return parser


class Program:
    """Processes that end with this one, with a home, an X server and a session bus of their own."""

    def __init__(self, args, **environment):
        self.args, self.processes = args, []
        self.dir = Path(args.dir).absolute()
        home, runtime = self.dir / "home", self.dir / "rt"
        for directory in (home, runtime):
            directory.mkdir(parents=True, exist_ok=True)
        runtime.chmod(0o700)
        os.environ.update(
            HOME=str(home),
            XDG_RUNTIME_DIR=str(runtime),
            XDG_DATA_HOME=str(home / "data"),
            XDG_CONFIG_HOME=str(home / "cfg"),
            XDG_CACHE_HOME=str(home / "cache"),
            GDK_BACKEND="x11",
            NO_AT_BRIDGE="1",
            LANG="C.UTF-8",
            **environment,
        )

    def run(self, command, **how):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **how)
        self.processes.append(process)
        return process

    def start_screen(self):
        """The X server finds a free display itself and says which."""
        reader, writer = os.pipe()
        screen = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
        self.run(screen, pass_fds=[writer], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(writer)
        with os.fdopen(reader) as answer:
            os.environ["DISPLAY"] = ":" + answer.readline().strip()

    def start_bus(self):
        daemon = self.run(["dbus-daemon", "--session", "--nofork", "--print-address"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = daemon.stdout.readline().strip()

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(2)
            except subprocess.TimeoutExpired:
                process.kill()
        os._exit(0)


def until(condition, seconds):
    """What the condition gives, once it gives something; None when the time is over."""
    end = time.time() + seconds
    while time.time() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    return None


def commands():
    """The lines of standard input, until it says to quit or ends."""
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "quit":
            return
        yield command
