"""Gajim without a screen, driven over D-Bus: the line protocol of bot.py for a real desktop client.

Gajim keeps its settings in one SQLite file; contacts listed there have OMEMO on. It runs on an X server and a
session bus of its own, in a directory of its own, on a clear-text connection to the loopback. Run by the system's
Python, which has Gajim's modules."""

import contextlib
import io
import json
import os
import sqlite3
import sys
import threading
import time
from pathlib import Path

from program import Program, arguments, commands, emit

sys.path.insert(0, "/usr/lib/python3/dist-packages")

SERVICE, PATH, INTERFACE = "org.gajim.Gajim", "/org/gajim/dbus/RemoteObject", "org.gajim.dbus.RemoteInterface"
ACCOUNT = "acc"
# It refuses uid 0, which tests in containers have; it is told another one.
START = "import os, sys; os.geteuid = os.getuid = lambda: 1000; from gajim.gajim import main; sys.argv[0] = 'gajim'; main()"


def write_settings(directory, args, user, domain):
    # Gajim's modules chat on standard error as they are loaded.
    with contextlib.redirect_stderr(io.StringIO()):
        from gajim.common.settings import CREATE_SQL

    rows = sqlite3.connect(directory / "settings.sqlite")
    rows.executescript(CREATE_SQL)
    quiet = ["use_keyring", "plugins_update_check", "plugins_repository_enabled", "check_for_update", "show_trayicon", "sounds_on", "show_notifications"]
    put = lambda name, value: rows.execute("update settings set settings=? where name=?", (json.dumps(value), name))
    put("app", {"remote_control": True, **{name: False for name in quiet}})
    put("plugins", {"omemo": {"active": True}})
    account = {
        "active": True,
        "name": user,
        "hostname": domain,
        "password": os.environ["SUBROSA_PEER_PASSWORD"],
        "savepass": True,
        "autoconnect": True,
        "account_label": ACCOUNT,
        "use_custom_host": True,
        "custom_host": args.host,
        "custom_port": args.port,
        "custom_type": "PLAIN",
        "use_plain_connection": True,
        "confirm_unencrypted_connection": False,
        "anonymous_auth": False,
        "resource": "gajim",
    }
    contacts = {contact: {"encryption": "OMEMO"} for contact in args.contact}
    rooms = {room: {"encryption": "OMEMO"} for room in args.room}
    settings = {"account": account, "contact": contacts, "group_chat": rooms}
    rows.execute("insert into account_settings values(?, ?)", (ACCOUNT, json.dumps(settings)))
    rows.commit()


class Gajim(Program):
    def __init__(self, args):
        super().__init__(args)
        user, domain = args.jid.split("@")
        config = self.dir / "cfg"
        config.mkdir(exist_ok=True)
        self.config = config
        write_settings(config, args, user, domain)
        self.waiting, self.sending, self.logged_in_again = [], None, False
        self.start_screen()
        self.start_bus()
        log = open(self.dir / "gajim.log", "w")
        self.run(["/usr/bin/python3", "-c", START, "--config-path", str(config), "--loglevel", "gajim=INFO"], stdout=log, stderr=log)

    def connect(self):
        import dbus
        from gi.repository import GLib
        from dbus.mainloop.glib import DBusGMainLoop

        self.glib = GLib
        DBusGMainLoop(set_as_default=True)
        self.bus = dbus.SessionBus()
        end = time.time() + 60
        while time.time() < end:
            try:
                self.remote = dbus.Interface(self.bus.get_object(SERVICE, PATH), INTERFACE)
                if str(self.remote.get_status(ACCOUNT)) == "online":
                    break
            except dbus.DBusException:
                pass
            time.sleep(0.1)
        else:
            raise TimeoutError("Gajim did not come online: " + (self.dir / "gajim.log").read_text()[-2000:])
        self.bus.add_signal_receiver(self.received, "NewMessage", INTERFACE, SERVICE, PATH)
        self.bus.add_signal_receiver(self.received_in_room, "GCMessage", INTERFACE, SERVICE, PATH)
        self.bus.add_signal_receiver(self.was_sent, "MessageSent", INTERFACE, SERVICE, PATH)

    def own_device(self):
        """From the OMEMO plugin's own database; it is written a moment after the login."""
        end = time.time() + 30
        while time.time() < end:
            for file in (self.dir / "home").rglob("omemo_*.db"), self.config.rglob("omemo_*.db"):
                for path in file:
                    try:
                        rows = sqlite3.connect(f"file:{path}?mode=ro", uri=True).execute("select device_id from secret").fetchall()
                    except sqlite3.Error:
                        continue
                    if rows:
                        return int(rows[0][0])
            time.sleep(0.1)
        raise TimeoutError("Gajim's OMEMO plugin made no keys")

    def received(self, arguments):
        # [account, [sender, text, time, kind, …]]
        _, details = arguments
        emit(got=str(details[1]), **{"from": str(details[0]).split("/")[0]})

    def received_in_room(self, arguments):
        # [account, [room/nick, text, time, …]]; its own words come back too
        _, details = arguments
        room, _, nick = str(details[0]).partition("/")
        if nick and nick != self.nick():
            emit(got=str(details[1]), room=room, **{"from": f"{nick}@{self.args.jid.split('@')[1]}"})
        elif nick and self.sending and str(details[1]) == self.sending["text"]:
            self.sent_it()

    def nick(self):
        return self.args.jid.split("@")[0]

    def joined(self, room, since):
        """Joins by its bookmark, a while after the login; its log says when it is in."""
        if f"Set MUC state: {room} JOINED" in (self.dir / "gajim.log").read_text():
            emit(joined=room)
        elif time.time() - since > 60:
            emit(failed="Gajim did not join", to=room)
        else:
            return True
        return False

    def was_sent(self, arguments):
        # [account, [receiver, text, …]]
        _, details = arguments
        if self.sending and str(details[1]) == self.sending["text"]:
            self.sent_it()

    def sent_it(self):
        done, self.sending = self.sending, None
        emit(sent=done["text"], to=done["to"], parts=1, errors=[])
        self.send_next()

    def send(self, command):
        self.waiting.append(command)
        if not self.sending:
            self.send_next()

    def send_next(self):
        if self.waiting:
            self.sending = self.waiting.pop(0)
            self.attempt(self.sending, 0)

    def attempt(self, command, number):
        """Gajim says only that a message was sent. The first one to a contact is refused inside while the keys
        are fetched, so it is tried again until it goes out."""
        if self.sending is not command:
            return False
        known = command["to"] in self.args.room or not self.knows_no_devices(command["to"])
        if number and not known and not self.logged_in_again:
            self.logged_in_again = True
            self.remote.change_status("offline", "", ACCOUNT)
            self.glib.timeout_add(100, self.when, "offline", lambda: self.back_online(command))
            return False
        if number == 15:
            self.sending = None
            log = [line for line in (self.dir / "gajim.log").read_text().splitlines() if "omemo" in line.lower()]
            emit(failed="Gajim did not send it; its log: " + "\n".join(log)[-2000:], to=command["to"])
            self.send_next()
            return False
        if command["to"] in self.args.room:
            self.remote.send_groupchat_message(command["to"], command["text"], ACCOUNT)
        else:
            self.remote.send_chat_message(command["to"], command["text"], ACCOUNT)
        self.glib.timeout_add(2000, self.attempt, command, number + 1)
        return False

    def knows_no_devices(self, contact):
        """It never asks for a contact's list of devices, it waits to be told. ejabberd tells what was published before
        a login once, when the login asks for the contact's presence, and not at all if by then it has not yet learnt
        what this Gajim's hash of capabilities stands for. It has at the next login, which is what a user does too."""
        return f"No devices for encryption found for: {contact}" in (self.dir / "gajim.log").read_text()

    def back_online(self, command):
        self.remote.change_status("online", "", ACCOUNT)
        self.glib.timeout_add(100, self.when, "online", lambda: self.attempt(command, 1))

    def when(self, status, then):
        if str(self.remote.get_status(ACCOUNT)) != status:
            return True
        then()
        return False


def main():
    gajim = Gajim(arguments().parse_args())
    from gi.repository import GLib

    try:
        gajim.connect()
        emit(ready=gajim.args.jid, device=gajim.own_device(), fingerprint=None)
    except Exception as error:  # noqa: BLE001
        emit(fatal=f"{type(error).__name__}: {error}")
        gajim.stop()

    def obey():
        for command in commands():
            if command["do"] == "send":
                GLib.idle_add(gajim.send, command)
            elif command["do"] == "join":
                GLib.timeout_add(200, gajim.joined, command["room"], time.time())
        GLib.idle_add(gajim.stop)

    threading.Thread(target=obey, daemon=True).start()
    GLib.MainLoop().run()


main()
