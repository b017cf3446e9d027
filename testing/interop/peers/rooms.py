"""Rooms (XEP-0045) for the Python peers: join, who is in them, whose message it is.

Non-anonymous rooms only: a message counts as from the real address that presence gave its nick."""

from xml.etree import ElementTree as ET

from slixmpp.jid import JID

MUC = "http://jabber.org/protocol/muc"
ADMIN, USER = f"{MUC}#admin", f"{MUC}#user"


class Rooms:
    def __init__(self, client):
        self.client = client
        self.nicks = {}  # of ours, by room
        self.people = {}  # real address by room and nick
        client.add_event_handler("groupchat_presence", self.presence)

    def presence(self, stanza):
        item = stanza.xml.find(f"{{{USER}}}x/{{{USER}}}item")
        if item is not None and item.get("jid") and stanza["type"] != "unavailable":
            self.people[(stanza["from"].bare, stanza["from"].resource)] = JID(item.get("jid")).bare

    async def join(self, room, nick):
        await self.client.plugin["xep_0045"].join_muc_wait(JID(room), nick, maxstanzas=0, timeout=30)
        self.nicks[room] = nick

    async def create(self, room, nick, members):
        """Members-only, non-anonymous, persistent; with these members."""
        await self.join(room, nick)
        muc = self.client.plugin["xep_0045"]
        form = await muc.get_room_config(JID(room))
        wanted = {
            "muc#roomconfig_membersonly": "1",
            "muc#roomconfig_whois": "anyone",
            "muc#roomconfig_persistentroom": "1",
            "muc#roomconfig_getmemberlist": ["moderator", "participant", "visitor"],
        }
        form["type"] = "submit"
        for name, value in wanted.items():
            if name in form.get_fields():
                form.get_fields()[name]["value"] = value
        await muc.set_room_config(JID(room), form)
        for member in members:
            await muc.set_affiliation(JID(room), "member", jid=JID(member))

    async def members(self, room):
        """Members, admins and owners, whether they are there or not; whoever is there where the room does not say."""
        found = {jid for (place, _), jid in self.people.items() if place == room}
        for affiliation in ("owner", "admin", "member"):
            ask = self.client.make_iq_get(ito=room)
            query = ET.SubElement(ask.xml, f"{{{ADMIN}}}query")
            ET.SubElement(query, f"{{{ADMIN}}}item", {"affiliation": affiliation})
            try:
                answer = await ask.send()
            except Exception:  # noqa: BLE001  (a list that is not shown to everybody)
                continue
            found |= {JID(item.get("jid")).bare for item in answer.xml.iter(f"{{{ADMIN}}}item")}
        return found - {self.client.boundjid.bare}

    def sender(self, stanza):
        """The real bare address of a message; None for one's own, for the room's, and for invitations."""
        if stanza.xml.find(f"{{{USER}}}x") is not None:
            return None
        room, nick = stanza["from"].bare, stanza["from"].resource
        if stanza["type"] != "groupchat":
            return stanza["from"].bare
        if not nick or nick == self.nicks.get(room):
            return None
        return self.people.get((room, nick))
