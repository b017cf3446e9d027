"""Publishes an empty legacy device list for an account that has none, and leaves.

Profanity makes its first list only when the server's error carries the old numeric code, which today's servers do
not send: on an account that never had a list it stays without one."""

import os
from xml.etree import ElementTree as ET

from bot import LEGACY, Bot, arguments


class Seeder(Bot):
    async def prepare(self):
        form = self.plugin["xep_0004"].make_form(ftype="submit")
        form.add_field(var="FORM_TYPE", ftype="hidden", value="http://jabber.org/protocol/pubsub#publish-options")
        form.add_field(var="pubsub#access_model", value="open")
        node = f"{LEGACY}.devicelist"
        await self.plugin["xep_0060"].publish(self.boundjid.bare, node, "current", ET.Element(f"{{{LEGACY}}}list"), form)
        os._exit(0)


Seeder(arguments()).run()
