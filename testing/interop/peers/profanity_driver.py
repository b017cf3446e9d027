"""Profanity in a terminal of its own (tmux), driven as a person would: the line protocol of bot.py.

What it read and wrote is taken from its chat logs, which it is told to keep for OMEMO too."""

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

from program import arguments, commands, emit


class Profanity:
    def __init__(self, args):
        self.args = args
        self.dir = Path(args.dir).absolute()
        (self.dir / "home/.config/profanity").mkdir(parents=True, exist_ok=True)
        self.seen, self.lock, self.partner, self.rooms = {}, threading.Lock(), None, set()
        home = self.dir / "home"
        environment = f"env HOME={home} XDG_CONFIG_HOME={home}/.config XDG_DATA_HOME={home}/.local/share TERM=screen LANG=C.UTF-8"
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "200", "-y", "50", f"{environment} profanity -l DEBUG")

    def tmux(self, *args):
        return subprocess.run(["tmux", "-S", str(self.dir / "tmux"), *args], capture_output=True, text=True)

    def screen(self):
        return self.tmux("capture-pane", "-p").stdout

    def say(self, line):
        self.tmux("send-keys", "-l", line)
        self.tmux("send-keys", "Enter")

    def until(self, words, seconds=30):
        end = time.time() + seconds
        while time.time() < end:
            if words in self.screen():
                return
            time.sleep(0.05)
        shown = "\n".join(line for line in self.screen().splitlines() if line.strip())
        raise TimeoutError(f"Profanity did not show {words!r}; its screen: {shown[-1500:]}")

    def login(self):
        self.until("Profanity")
        time.sleep(0.3)
        for setting in ("/logging chat on", "/omemo log on", "/omemo policy always", "/omemo trustmode blind", "/splash off"):
            self.say(setting)
        self.say(f"/connect {self.args.jid} server {self.args.host} port {self.args.port} tls disable")
        self.until("password")
        self.say(os.environ["SUBROSA_PEER_PASSWORD"])
        self.until("logged in successfully")
        # Its questions about the server must be answered before it publishes its keys: it publishes them
        # without options otherwise, for friends only.
        time.sleep(1.5)
        self.say("/omemo gen")
        self.until("materials generated")
        time.sleep(1)

    def own(self):
        """The device id and fingerprint, from its own files."""
        for path in (self.dir / "home").rglob("identity.txt"):
            match = re.search(r"device_id=(\d+)", path.read_text())
            if match:
                return int(match[1])
        return 0

    def open_chat(self, partner):
        if self.partner != partner:
            self.say(f"/msg {partner}")
            time.sleep(0.3)
            self.say("/omemo start")
            time.sleep(1.5)
            self.partner = partner

    def nick(self):
        return self.args.jid.split("@")[0]

    def join(self, room):
        self.say(f"/join {room} nick {self.nick()}")
        self.until("You have joined the room")
        self.rooms.add(room)
        time.sleep(1)
        self.say("/omemo start")
        # it fetches the lists and bundles of all members now, and says nothing when it is done
        time.sleep(2.5)
        self.partner = room
        emit(joined=room)

    def send(self, to, text):
        me = self.nick() if to in self.rooms else "me"
        if to in self.rooms and self.partner != to:
            self.say(f"/win {to}")
            self.partner = to
        if to not in self.rooms:
            self.open_chat(to)
        # A line that begins with a slash would be a command.
        self.say(text)
        end = time.time() + 20
        while time.time() < end:
            with self.lock:
                if (to, me, text) in self.seen:
                    return emit(sent=text, to=to, parts=1, errors=[])
            time.sleep(0.05)
        emit(failed="Profanity did not log it as sent; its screen: " + self.screen()[-1500:], to=to)

    def watch(self):
        """Reports each new line of the chat logs; `seen` counts them."""
        place = {}
        while True:
            for path in (self.dir / "home").rglob("chatlogs/**/*.log"):
                contact = path.parent.name.replace("_at_", "@")
                text = path.read_text(errors="replace")
                fresh = text[place.get(path, 0) : text.rfind("\n") + 1]
                place[path] = place.get(path, 0) + len(fresh)
                for line in fresh.splitlines():
                    match = re.match(r"\S+ - ([^:]+): (.*)$", line)
                    if not match:
                        continue
                    who, said = match.groups()
                    with self.lock:
                        self.seen[(contact, who, said)] = True
                    if "rooms" in path.parts:
                        if who != self.nick():
                            emit(got=said, room=contact, **{"from": f"{who}@{self.args.jid.split('@')[1]}"})
                    elif who != "me":
                        emit(got=said, **{"from": contact})
            time.sleep(0.05)

    def stop(self):
        self.say("/quit")
        time.sleep(0.3)
        self.tmux("kill-server")
        os._exit(0)


def main():
    args = arguments().parse_args()
    seed = [sys.executable, str(Path(__file__).parent / "seed_list.py"), "--jid", args.jid, "--host", args.host, "--port", str(args.port)]
    subprocess.run(seed, check=True, stdin=subprocess.DEVNULL)
    profanity = Profanity(args)
    try:
        profanity.login()
        threading.Thread(target=profanity.watch, daemon=True).start()
        for contact in profanity.args.contact[:1]:
            profanity.open_chat(contact)
        emit(ready=profanity.args.jid, device=profanity.own(), fingerprint=None)
        for command in commands():
            if command["do"] == "send":
                profanity.send(command["to"], command["text"])
            elif command["do"] == "join":
                profanity.join(command["room"])
    except Exception as error:  # noqa: BLE001
        emit(fatal=f"{type(error).__name__}: {error}")
    profanity.stop()


main()
