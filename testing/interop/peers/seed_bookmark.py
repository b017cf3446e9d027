"""Puts a room into an account's bookmarks (XEP-0402), to be joined at login, and leaves."""

import argparse
import os
import sys
from xml.etree import ElementTree as ET

from bot import Bot, arguments

BOOKMARKS = "urn:xmpp:bookmarks:1"


class Seeder(Bot):
    room, nick = None, None

    async def prepare(self):
        options = {"access_model": "whitelist", "persist_items": "true", "max_items": "max", "send_last_published_item": "never"}
        form = self.plugin["xep_0004"].make_form(ftype="submit")
        form.add_field(var="FORM_TYPE", ftype="hidden", value="http://jabber.org/protocol/pubsub#publish-options")
        for name, value in options.items():
            form.add_field(var=f"pubsub#{name}", value=value)
        conference = ET.Element(f"{{{BOOKMARKS}}}conference", {"autojoin": "true", "name": "room"})
        ET.SubElement(conference, f"{{{BOOKMARKS}}}nick").text = self.nick
        try:
            await self.plugin["xep_0060"].publish(self.boundjid.bare, BOOKMARKS, self.room, conference, form)
        except Exception:  # noqa: BLE001  (ejabberd knows two options only: there clients keep them in private storage, XEP-0048)
            stanza = self.make_iq_set()
            storage = ET.SubElement(ET.SubElement(stanza.xml, "{jabber:iq:private}query"), "{storage:bookmarks}storage")
            conference = ET.SubElement(storage, "{storage:bookmarks}conference", {"autojoin": "true", "jid": self.room, "name": "room"})
            ET.SubElement(conference, "{storage:bookmarks}nick").text = self.nick
            await stanza.send()
        os._exit(0)


parser = argparse.ArgumentParser(add_help=False)
for name in ("--room", "--nick"):
    parser.add_argument(name, required=True)
own, rest = parser.parse_known_args()
Seeder.room, Seeder.nick = own.room, own.nick
sys.argv[1:] = rest
Seeder(arguments()).run()
