"""Dino without a screen: the line protocol of bot.py for a real GTK client, which has no interface for programs.

It is read from its database and written to with the keyboard of a private X server. Dino insists on port 5222 of
`localhost` and on a certificate that its system trusts: it gets a network and a mount namespace of its own, where
that port leads to the test's server and the server's authority is trusted. Needs root. Run by the system's Python."""

import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

from program import Program, arguments, commands, emit, until

CA = "/etc/ssl/certs/ca-certificates.crt"
PERSON, ROOM, OMEMO = 0, 1, 2


def pump(one, other):
    try:
        while data := one.recv(65536):
            other.sendall(data)
    except OSError:
        pass
    for end in (one, other):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def bridge(listener, connect):
    """Whoever connects to the one is connected to the other."""

    def accept():
        while True:
            here, _ = listener.accept()
            there = connect()
            for pair in ((here, there), (there, here)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def by_path(path):
    end = socket.socket(socket.AF_UNIX)
    end.connect(path)
    return end


def outside(args, path):
    """In the test's network: a socket in the file system leads to the server, from any namespace."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    bridge(listener, lambda: socket.create_connection((args.host, args.port)))
    inner = subprocess.Popen(["unshare", "-n", "-m", sys.executable, *sys.argv, "--bridge", path])
    os._exit(inner.wait())


class Dino(Program):
    def __init__(self, args):
        super().__init__(args, GSK_RENDERER="cairo", LIBGL_ALWAYS_SOFTWARE="1", GTK_A11Y="none")
        self.seen = 0
        self.database = self.dir / "home/data/dino/dino.db"

    def prepare(self):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        trusted = self.dir / "ca.crt"
        trusted.write_text(Path(CA).read_text() + Path(self.args.ca).read_text())
        subprocess.run(["mount", "--bind", trusted, CA], check=True)
        listener = socket.create_server(("127.0.0.1", 5222))
        bridge(listener, lambda: by_path(self.args.bridge))
        self.start_screen()
        self.start_bus()

    def query(self, sql, *values):
        try:
            rows = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
            return rows.execute(sql, values).fetchall()
        except sqlite3.Error:
            return []

    def until(self, what, condition, seconds=60):
        found = until(condition, seconds)
        if not found:
            raise TimeoutError(f"Dino: no {what}; its log: {self.log()[-1500:]}")
        return found

    def action(self, name, *values):
        target = ["--session", "--dest", "im.dino.Dino", "--object-path", "/im/dino/Dino", "--method", "org.gtk.Actions.Activate"]
        subprocess.run(["gdbus", "call", *target, name, "[" + ", ".join(values) + "]", "{}"], capture_output=True)

    def start(self):
        # the first start makes the database
        with open(self.dir / "first.log", "w") as log:
            first = self.run(["dino-im"], stdout=log, stderr=log)
            self.until("database", lambda: self.query("select count(*) from account"))
            time.sleep(1)
            self.action("quit")
            try:
                first.wait(5)
            except subprocess.TimeoutExpired:
                first.kill()
                first.wait()
        rows = sqlite3.connect(self.database)
        rows.execute(
            "insert into account(bare_jid, resourcepart, password, enabled) values(?, 'dino', ?, 1)",
            (self.args.jid, os.environ["SUBROSA_PEER_PASSWORD"]),
        )
        # without a conversation that has OMEMO switched on it writes in clear
        for jid, kind in [(c, PERSON) for c in self.args.contact] + [(r, ROOM) for r in self.args.room]:
            rows.execute("insert or ignore into jid(bare_jid) values(?)", (jid,))
            rows.execute(
                "insert into conversation(account_id, jid_id, active, last_active, type, encryption, notification, send_typing, send_marker)"
                " values(1, (select id from jid where bare_jid = ?), 1, strftime('%s', 'now'), ?, ?, 0, 0, 0)",
                (jid, kind, OMEMO),
            )
        rows.commit()
        rows.close()
        log = open(self.dir / "dino.log", "w")
        environment = {**os.environ, "G_MESSAGES_DEBUG": "all"}
        self.run(["dino-im", f"--print-xmpp={self.args.jid}"], stdout=log, stderr=log, env=environment)
        self.until("login", lambda: f"received device list for {self.args.jid}" in self.log())
        # it publishes its keys and opens their nodes to everybody afterwards, and says nothing when it is done
        time.sleep(3)

    def own_device(self):
        def read():
            try:
                rows = sqlite3.connect(f"file:{self.database.parent / 'omemo.db'}?mode=ro", uri=True)
                return rows.execute("select device_id from identity").fetchall()
            except sqlite3.Error:
                return None

        return int(self.until("key of its own", read)[0][0])

    def conversation(self, jid):
        found = self.query("select c.id, c.type from conversation c join jid j on j.id = c.jid_id where j.bare_jid = ?", jid)
        return found[0] if found else None

    def join(self, room):
        """By its bookmark, at login: once it has read the room's archive it is in."""
        self.until(f"archive of {room}", lambda: any(room in line and "result" in line for line in self.log().splitlines()))
        time.sleep(1.5)
        emit(joined=room)

    def log(self):
        log = self.dir / "dino.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def send(self, to, text):
        chat = self.conversation(to)
        if chat is None:
            return emit(failed="Dino has no such conversation", to=to)
        before = self.query("select max(id) from message")[0][0] or 0
        self.action("open-conversation", f"<{chat[0]}>")
        time.sleep(1)
        window = subprocess.run(["xdotool", "search", "--onlyvisible", "--name", "^Dino"], capture_output=True, text=True).stdout.split()[-1]
        size = subprocess.run(["xdotool", "getwindowgeometry", "--shell", window], capture_output=True, text=True).stdout
        size = dict(line.split("=") for line in size.splitlines() if "=" in line)
        # the entry is at the lower edge, right of the list
        place = [str(int(size["WIDTH"]) * 2 // 3), str(int(size["HEIGHT"]) - 40)]
        subprocess.run(["xdotool", "windowfocus", window, "mousemove", "--window", window, *place, "click", "1", "sleep", "0.2", "type", "--delay", "15", text])
        subprocess.run(["xdotool", "key", "Return"])
        written = lambda: self.query("select encryption from message where id > ? and direction = 1 and body = ?", before, text)
        try:
            encryption = self.until("message of its own", written, 15)[0][0]
        except TimeoutError as error:
            if os.environ.get("SUBROSA_PEER_SHOT"):
                subprocess.run(["import", "-window", "root", os.environ["SUBROSA_PEER_SHOT"]])
            return emit(failed=str(error), to=to)
        if encryption != OMEMO:
            return emit(failed="Dino sent it in clear", to=to)
        emit(sent=text, to=to, parts=1, errors=[])

    def watch(self):
        columns = "m.id, m.direction, m.encryption, m.body, j.bare_jid, m.counterpart_resource, m.type"
        while True:
            for number, direction, encryption, body, jid, nick, kind in self.query(
                f"select {columns} from message m join jid j on j.id = m.counterpart_id where m.id > ? order by m.id", self.seen
            ):
                self.seen = number
                if direction != 0:
                    continue
                in_room = jid in self.args.room
                sender = f"{nick}@{self.args.jid.split('@')[1]}" if in_room else jid
                where = {"from": sender, **({"room": jid} if in_room else {})}
                emit(**({"got": body} if encryption == OMEMO else {"clear": body}), **where)
            time.sleep(0.1)


def main():
    parser = arguments("--ca")
    parser.add_argument("--bridge", help="set by itself, inside the namespace")
    args = parser.parse_args()
    if not args.bridge:
        Path(args.dir).mkdir(parents=True, exist_ok=True)
        outside(args, str(Path(args.dir).absolute() / "server"))
    dino = Dino(args)
    try:
        dino.prepare()
        dino.start()
        emit(ready=args.jid, device=dino.own_device(), fingerprint=None)
        threading.Thread(target=dino.watch, daemon=True).start()
        for command in commands():
            if command["do"] == "send":
                dino.send(command["to"], command["text"])
            elif command["do"] == "join":
                dino.join(command["room"])
    except Exception as error:  # noqa: BLE001
        emit(fatal=f"{type(error).__name__}: {error}")
    dino.stop()


main()
