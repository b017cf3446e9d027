"""A client on python-omemo by slixmpp-omemo: both OMEMO versions or one, everybody trusted.

slixmpp-omemo has no Stanza Content Encryption, so the envelope of omemo:2 is made and opened here."""

import os
import secrets
from base64 import b64encode
from datetime import datetime, timezone
from xml.etree import ElementTree as ET

import oldmemo
import oldmemo.etree
import slixmpp_omemo.xep_0384 as plugin_module
import twomemo
import twomemo.etree
import xeddsa
from omemo.session_manager import MessageNotForUs
from omemo.storage import Just, Nothing, Storage
from slixmpp.plugins import register_plugin
from slixmpp_omemo import XEP_0384, TrustLevel

from bot import LEGACY, OMEMO_2, Bot, NotForUs, arguments

SCE = "urn:xmpp:sce:1"
CLIENT = "jabber:client"


class Memory(Storage):
    def __init__(self):
        super().__init__(disable_cache=True)
        self.rows = {}

    async def _load(self, key):
        return Just(self.rows[key]) if key in self.rows else Nothing()

    async def _store(self, key, value):
        self.rows[key] = value

    async def _delete(self, key):
        self.rows.pop(key, None)


class Plugin(XEP_0384):
    default_config = {**XEP_0384.default_config, "memory": None}

    @property
    def storage(self):
        return self.memory

    @property
    def _btbv_enabled(self):
        return True

    async def _prompt_manual_trust(self, manually_trusted, identifier):
        manager = await self.get_session_manager()
        for device in manually_trusted:
            await manager.set_trust(device.bare_jid, device.identity_key, TrustLevel.TRUSTED.value)


register_plugin(Plugin)


def only(versions):
    """Makes slixmpp-omemo load one version only: it has no setting for that."""
    chosen = {"omemo:2": [twomemo.Twomemo], "legacy": [oldmemo.Oldmemo], "both": [twomemo.Twomemo, oldmemo.Oldmemo]}[versions]

    async def prepare(xmpp, xep_0384, storage, *_):
        manager = await plugin_module._make_session_manager(xmpp, xep_0384).create(
            [backend(storage) for backend in chosen],
            storage,
            xmpp.boundjid.bare,
            initial_own_label=None,
            undecided_trust_level_name=TrustLevel.UNDECIDED.value,
        )
        await manager.ensure_data_consistency()
        await manager.after_history_sync()
        return manager

    plugin_module._prepare = prepare
    return [OMEMO_2 if backend is twomemo.Twomemo else LEGACY for backend in chosen]


def seal(text, sender, room=None):
    """XEP-0420 with the affixes of OMEMO 2: rpad and from, and time; in a room to, which is the room."""
    envelope = ET.Element(f"{{{SCE}}}envelope")
    content = ET.SubElement(envelope, f"{{{SCE}}}content")
    ET.SubElement(content, f"{{{CLIENT}}}body").text = text
    ET.SubElement(envelope, f"{{{SCE}}}rpad").text = b64encode(os.urandom(secrets.randbelow(150))).decode()[: secrets.randbelow(200)]
    ET.SubElement(envelope, f"{{{SCE}}}from", {"jid": sender})
    if room:
        ET.SubElement(envelope, f"{{{SCE}}}to", {"jid": room})
    ET.SubElement(envelope, f"{{{SCE}}}time", {"stamp": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")})
    return ET.tostring(envelope)


def unseal(envelope, sender):
    root = ET.fromstring(envelope)
    if root.tag != f"{{{SCE}}}envelope":
        raise ValueError(f"not an envelope: {root.tag}")
    if root.find(f"{{{SCE}}}rpad") is None:
        raise ValueError("an envelope without rpad")
    named = root.find(f"{{{SCE}}}from")
    if named is None or named.get("jid") != sender:
        raise ValueError("the envelope names another sender")
    body = root.find(f"{{{SCE}}}content/{{{CLIENT}}}body")
    return None if body is None else body.text or ""


class OmemoBot(Bot):
    def __init__(self, args):
        super().__init__(args)
        self.namespaces = only(args.versions)
        self.memory = Memory()
        self.register_plugin("xep_0384", {"memory": self.memory}, module=__import__(__name__))

    def stored(self):
        return self.memory.rows

    async def prepare(self):
        self.manager = await self.plugin["xep_0384"].get_session_manager()
        me, _ = await self.manager.get_own_device_information()
        return me.device_id, fingerprint(me)

    async def encrypt_and_send(self, to, text):
        # Also asked for by hand: notifications may come later than the command.
        people = await self.recipients(to)
        for jid in people:
            for namespace in self.namespaces:
                await self.manager.refresh_device_list(namespace, jid)
        room = to if to in self.rooms.nicks else None
        plain = {OMEMO_2: seal(text, self.boundjid.bare, room), LEGACY: text.encode()}
        messages, errors = await self.manager.encrypt(
            frozenset(people), {n: plain[n] for n in self.namespaces}, backend_priority_order=self.namespaces
        )
        # A stanza for each version: receivers of this library refuse both in one.
        for message in messages:
            serialize = twomemo.etree.serialize_message if message.namespace == OMEMO_2 else oldmemo.etree.serialize_message
            self.send_encrypted(to, message.namespace, serialize(message))
        return len(messages), [str(error) for error in errors]

    async def decrypt(self, sender, namespace, element):
        if namespace not in self.namespaces:
            raise NotForUs("a version this client does not speak")
        if namespace == OMEMO_2:
            message = twomemo.etree.parse_message(element, sender)
        else:
            message = await oldmemo.etree.parse_message(element, sender, self.boundjid.bare, self.manager)
        try:
            plain, _, _ = await self.manager.decrypt(message)
        except MessageNotForUs as error:
            raise NotForUs(str(error)) from error
        if plain is None:
            return None
        return unseal(plain, sender) if namespace == OMEMO_2 else plain.decode()

    async def list_devices(self, jid):
        for namespace in self.namespaces:
            await self.manager.refresh_device_list(namespace, jid)
        devices = await self.manager.get_device_information(jid)
        return [
            {"id": d.device_id, "fingerprint": fingerprint(d), "trust": d.trust_level_name, "protocols": sorted(n for n, on in d.active if on)}
            for d in devices
        ]


def fingerprint(device):
    return xeddsa.ed25519_pub_to_curve25519_pub(device.identity_key).hex()


OmemoBot(arguments()).run()
