"""What the Python peers share: a plain XMPP login on the loopback and the line protocol.

A peer reads commands from its standard input and writes events to its standard output, one JSON object a line.

Commands: {"do": "send", "to": address or room, "text": text} · {"do": "devices", "jid": address?} ·
{"do": "join", "room": address, "nick": nick} · {"do": "create", "room": address, "nick": nick, "members": [address]} ·
{"do": "hold"} (what arrives waits, unread) · {"do": "release"} · {"do": "store"} · {"do": "quit"}
Events:   {"ready": own address, "device": id, "fingerprint": hex} ·
{"sent": text, "to": address, "parts": n, "errors": […]} · {"failed": reason, "to": address} ·
{"got": text, "from": address, "device": id, "protocol": "omemo:2" | "omemo:1"} ·
{"empty": true, "from": …, "device": …, "protocol": …} · {"undecryptable": reason, "from": …, "device": …} ·
{"store": all it keeps, as its library names it} · {"clear": text, "from": …} · {"joined": room} · {"bounced": condition, "from": …} · {"devices": [{"id", "fingerprint"}], "jid": …} ·
{"fatal": reason}

The password comes from the environment: SUBROSA_PEER_PASSWORD.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
import threading

from slixmpp import ClientXMPP
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import StanzaPath

from rooms import Rooms

OMEMO_2 = "urn:xmpp:omemo:2"
LEGACY = "eu.siacs.conversations.axolotl"
PROTOCOL = {OMEMO_2: "omemo:2", LEGACY: "omemo:1"}
EME = "urn:xmpp:eme:0"


def emit(**event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jid", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--versions", choices=["omemo:2", "legacy", "both"], default="both")
    parser.add_argument("--debug", action="store_true", help="log to standard error")
    args = parser.parse_args()
    logging.basicConfig(level=logging.DEBUG if args.debug else logging.ERROR, stream=sys.stderr)
    return args


class Bot(ClientXMPP):
    """A client that does one thing after the other. Subclasses know the encryption:
    `prepare` (gives the own device and its fingerprint), `encrypt_and_send`, `decrypt`, `list_devices`."""

    def __init__(self, args):
        super().__init__(args.jid, os.environ["SUBROSA_PEER_PASSWORD"])
        self.enable_plaintext, self.enable_starttls, self.enable_direct_tls = True, False, False
        self.plugin["feature_mechanisms"].unencrypted_scram = True
        for plugin in ("xep_0030", "xep_0004", "xep_0060", "xep_0163", "xep_0115", "xep_0045", "xep_0280", "xep_0334"):
            self.register_plugin(plugin)
        self.rooms = Rooms(self)
        self.work = asyncio.Queue()
        self.inbox = asyncio.Queue()
        self.reading = asyncio.Event()
        self.reading.set()
        self.add_event_handler("session_start", self.started)
        self.add_event_handler("failed_all_auth", lambda _: self.fatal("login refused"))
        # slixmpp's own `message` event fires for messages with a body only.
        self.register_handler(Callback("every message", StanzaPath("message"), self.inbox.put_nowait))
        self.args = args

    def run(self):
        self.connect(self.args.host, self.args.port)
        self.loop.run_forever()

    def fatal(self, reason):
        emit(fatal=str(reason))
        os._exit(1)

    async def started(self, _):
        try:
            self.send_presence()
            await self.get_roster()
            device, fingerprint = await self.prepare()
            # Once all features are known: slixmpp announces a hash that lacks them otherwise, and a server that
            # checks it sends no notifications.
            await self.plugin["xep_0115"].update_caps()
        except Exception as error:  # noqa: BLE001
            self.fatal(f"{type(error).__name__}: {error}")
        emit(ready=self.boundjid.bare, device=device, fingerprint=fingerprint)
        threading.Thread(target=self.read_commands, daemon=True).start()
        self.tasks = [asyncio.create_task(self.do_work()), asyncio.create_task(self.read_inbox())]

    def read_commands(self):
        for line in sys.stdin:
            self.loop.call_soon_threadsafe(self.work.put_nowait, json.loads(line))
        self.loop.call_soon_threadsafe(self.work.put_nowait, {"do": "quit"})

    async def do_work(self):
        while True:
            command = await self.work.get()
            match command["do"]:
                case "send":
                    try:
                        parts, errors = await self.encrypt_and_send(command["to"], command["text"])
                        emit(sent=command["text"], to=command["to"], parts=parts, errors=errors)
                    except Exception as error:  # noqa: BLE001
                        emit(failed=f"{type(error).__name__}: {error}", to=command["to"])
                case "join" | "create":
                    try:
                        if command["do"] == "join":
                            await self.rooms.join(command["room"], command["nick"])
                        else:
                            await self.rooms.create(command["room"], command["nick"], command["members"])
                        emit(joined=command["room"])
                    except Exception as error:  # noqa: BLE001
                        emit(failed=f"{type(error).__name__}: {error}", to=command["room"])
                case "devices":
                    jid = command.get("jid", self.boundjid.bare)
                    emit(jid=jid, devices=await self.list_devices(jid))
                case "store":
                    emit(store=self.stored())
                case "hold":
                    self.reading.clear()
                case "release":
                    self.reading.set()
                case "quit":
                    self.disconnect()
                    await asyncio.sleep(0.1)
                    os._exit(0)

    async def read_inbox(self):
        while True:
            stanza = await self.inbox.get()
            await self.reading.wait()
            if stanza["type"] == "error":
                emit(bounced=stanza["error"]["condition"], **{"from": stanza["from"].bare})
                continue
            sender = self.rooms.sender(stanza)
            if sender is None:
                continue
            found = False
            for namespace in (OMEMO_2, LEGACY):
                element = stanza.xml.find(f"{{{namespace}}}encrypted")
                if element is None:
                    continue
                found = True
                header = element.find(f"{{{namespace}}}header")
                where = {"from": sender, "device": int(header.get("sid")), "protocol": PROTOCOL[namespace]}
                try:
                    text = await self.decrypt(sender, namespace, element)
                except NotForUs as error:
                    emit(not_for_us=str(error), **where)
                except Exception as error:  # noqa: BLE001
                    emit(undecryptable=f"{type(error).__name__}: {error}", **where)
                else:
                    emit(**({"empty": True} if text is None else {"got": text}), **where)
            if not found and stanza["body"]:
                emit(clear=stanza["body"], **{"from": sender})

    async def recipients(self, to):
        """Whom a message to this address or room is for."""
        return await self.rooms.members(to) if to in self.rooms.nicks else {to}

    def send_encrypted(self, to, namespace, element):
        """A stanza as clients of this version expect it: the hint to keep it, the name of the encryption, and
        for legacy a body for those who can't read it."""
        message = self.make_message(mto=to, mtype="groupchat" if to in self.rooms.nicks else "chat")
        if namespace == LEGACY:
            message["body"] = "This message is encrypted with OMEMO."
        message.append(element)
        message.enable("store")
        message.xml.append(message.xml.makeelement(f"{{{EME}}}encryption", {"namespace": namespace, "name": "OMEMO"}))
        message.send()


class NotForUs(Exception):
    """A message that has no key for this device."""
