"""A client on omemo-dr, Gajim's library: legacy OMEMO only, everybody trusted.

Behaves as Gajim does: a key transport message follows as soon as a bundle was fetched."""

import time
from base64 import b64decode, b64encode
from xml.etree import ElementTree as ET

from omemo_dr.const import NS_OMEMO_TMP, OMEMOTrust
from omemo_dr.exceptions import KeyExchangeMessage, MessageNotForDevice
from omemo_dr.session_manager import OMEMOSessionManager
from omemo_dr.state.sessionrecord import SessionRecord
from omemo_dr.state.store import Store
from omemo_dr.structs import IdentityInfo, OMEMOBundle, OMEMOConfig, OMEMOMessage

from bot import LEGACY, Bot, NotForUs, arguments

LIST = f"{LEGACY}.devicelist"
CONFIG = OMEMOConfig(
    default_prekey_amount=100,
    min_prekey_amount=80,
    spk_archive_seconds=86400 * 15,
    spk_cycle_seconds=86400,
    unacknowledged_count=2000,
)


class Memory(Store):
    """The library's store as plain dictionaries; sessions are kept as bytes, as on a disk."""

    def __init__(self):
        self.own = None
        self.pre_keys, self.signed, self.sessions, self.identities, self.active = {}, {}, {}, {}, {}
        self.last_pre_key = 0

    def needs_init(self):
        return self.own is None

    def set_our_identity(self, device_id, identity_key_pair):
        self.own = (device_id, identity_key_pair)

    def get_our_device_id(self):
        return self.own[0]

    def get_identity_key_pair(self):
        return self.own[1]

    def save_identity(self, recipient_id, identity_key):
        self.identities.setdefault((recipient_id, identity_key.get_public_key().serialize()), (identity_key, OMEMOTrust.BLIND))

    def delete_identity(self, recipient_id, identity_key):
        self.identities.pop((recipient_id, identity_key.get_public_key().serialize()), None)

    def is_trusted_identity(self, recipient_id, identity_key):
        return True

    def is_trusted(self, recipient_id, device_id):
        return True

    def set_trust(self, recipient_id, identity_key, trust):
        self.identities[(recipient_id, identity_key.get_public_key().serialize())] = (identity_key, trust)

    def get_trust_for_identity(self, recipient_id, identity_key):
        row = self.identities.get((recipient_id, identity_key.get_public_key().serialize()))
        return row and row[1]

    def set_identity_last_seen(self, recipient_id, identity_key):
        pass

    def get_identity_infos(self, recipient_ids):
        wanted = [recipient_ids] if isinstance(recipient_ids, str) else recipient_ids
        return [
            IdentityInfo(self.active.get((jid, device), True), jid, device, "", None, key, OMEMOTrust.BLIND)
            for (jid, device) in self.sessions
            if jid in wanted
            for key in [self.load_session(jid, device).get_session_state().get_remote_identity_key()]
        ]

    def get_pre_key_count(self):
        return len(self.pre_keys)

    def load_pre_key(self, pre_key_id):
        if pre_key_id not in self.pre_keys:
            raise KeyError(f"prekey {pre_key_id} is used up or was never there")
        return self.pre_keys[pre_key_id]

    def load_pending_pre_keys(self):
        return list(self.pre_keys.values())

    def get_current_pre_key_id(self):
        return self.last_pre_key

    def store_pre_key(self, pre_key_id, pre_key_record):
        self.pre_keys[pre_key_id] = pre_key_record
        self.last_pre_key = max(self.last_pre_key, pre_key_id)

    def contains_pre_key(self, pre_key_id):
        return pre_key_id in self.pre_keys

    def remove_pre_key(self, pre_key_id):
        self.pre_keys.pop(pre_key_id, None)

    def load_signed_pre_key(self, signed_pre_key_id):
        return self.signed[signed_pre_key_id]

    def load_signed_pre_keys(self):
        return list(self.signed.values())

    def store_signed_pre_key(self, signed_pre_key_id, signed_pre_key_record):
        self.signed[signed_pre_key_id] = signed_pre_key_record

    def contains_signed_pre_key(self, signed_pre_key_id):
        return signed_pre_key_id in self.signed

    def get_current_signed_pre_key_id(self):
        return list(self.signed)[-1]

    def get_signed_pre_key_timestamp(self, signed_pre_key_id):
        return int(time.time())

    def remove_old_signed_pre_keys(self, timestamp):
        pass

    def remove_signed_pre_key(self, signed_pre_key_id):
        self.signed.pop(signed_pre_key_id, None)

    def load_session(self, recipient_id, device_id):
        stored = self.sessions.get((recipient_id, device_id))
        return SessionRecord(serialized=stored) if stored else SessionRecord()

    def store_session(self, recipient_id, device_id, session_record):
        self.sessions[(recipient_id, device_id)] = session_record.serialize()

    def contains_session(self, recipient_id, device_id):
        return (recipient_id, device_id) in self.sessions

    def get_inactive_sessions_keys(self, recipient_id):
        return []

    def delete_session(self, recipient_id, device_id):
        self.sessions.pop((recipient_id, device_id), None)

    def delete_all_sessions(self, recipient_id):
        self.sessions = {key: value for key, value in self.sessions.items() if key[0] != recipient_id}

    def get_active_device_tuples(self):
        return []

    def get_unacknowledged_count(self, recipient_id, device_id):
        return 0

    def set_active_state(self, address, devicelist):
        pass

    def set_inactive(self, address, device_id):
        self.active[(address, device_id)] = False


def tag(name):
    return f"{{{LEGACY}}}{name}"


def bundle_element(bundle):
    root = ET.Element(tag("bundle"))
    ET.SubElement(root, tag("signedPreKeyPublic"), {"signedPreKeyId": str(bundle.spk["id"])}).text = text(bundle.spk["key"])
    ET.SubElement(root, tag("signedPreKeySignature")).text = text(bundle.spk_signature)
    ET.SubElement(root, tag("identityKey")).text = text(bundle.ik)
    keys = ET.SubElement(root, tag("prekeys"))
    for key in bundle.otpks:
        ET.SubElement(keys, tag("preKeyPublic"), {"preKeyId": str(key["id"])}).text = text(key["key"])
    return root


def parse_bundle(root, device):
    signed = root.find(tag("signedPreKeyPublic"))
    return OMEMOBundle(
        device_id=device,
        ik=b64decode(root.find(tag("identityKey")).text),
        namespace=NS_OMEMO_TMP,
        otpks=[{"id": int(k.get("preKeyId")), "key": b64decode(k.text)} for k in root.iter(tag("preKeyPublic"))],
        spk={"id": int(signed.get("signedPreKeyId")), "key": b64decode(signed.text)},
        spk_signature=b64decode(root.find(tag("signedPreKeySignature")).text),
    )


def message_element(message):
    root = ET.Element(tag("encrypted"))
    header = ET.SubElement(root, tag("header"), {"sid": str(message.sid)})
    for device, (key, prekey) in message.keys.items():
        ET.SubElement(header, tag("key"), {"rid": str(device), **({"prekey": "true"} if prekey else {})}).text = text(key)
    ET.SubElement(header, tag("iv")).text = text(message.iv)
    if message.payload is not None:
        ET.SubElement(root, tag("payload")).text = text(message.payload)
    return root


def parse_message(root):
    header = root.find(tag("header"))
    payload = root.find(tag("payload"))
    keys = {int(k.get("rid")): (b64decode(k.text), k.get("prekey") in ("true", "1")) for k in header.iter(tag("key"))}
    body = None if payload is None else b64decode(payload.text)
    return OMEMOMessage(sid=int(header.get("sid")), iv=b64decode(header.find(tag("iv")).text), keys=keys, payload=body)


def text(data):
    return b64encode(data).decode()


class DrBot(Bot):
    async def prepare(self):
        self.manager = OMEMOSessionManager(self.boundjid.bare, Memory(), CONFIG)
        self.manager.register_signal("republish-bundle", lambda *_: self.loop.create_task(self.publish_bundle()))
        self.plugin["xep_0163"].add_interest(LIST)
        self.plugin["xep_0060"].map_node_event(LIST, "device_list")
        self.add_event_handler("device_list_publish", self.list_changed)
        await self.publish_bundle()
        device = self.manager.get_our_device()
        others = await self.fetch_list(self.boundjid.bare)
        self.manager.update_devicelist(self.boundjid.bare, others | {device})
        root = ET.Element(tag("list"))
        for one in sorted(others | {device}):
            ET.SubElement(root, tag("device"), {"id": str(one)})
        await self.publish(LIST, root)
        return device, self.manager.get_our_fingerprint()

    async def publish(self, node, element):
        form = self.plugin["xep_0004"].make_form(ftype="submit")
        form.add_field(var="FORM_TYPE", ftype="hidden", value="http://jabber.org/protocol/pubsub#publish-options")
        form.add_field(var="pubsub#access_model", value="open")
        await self.plugin["xep_0060"].publish(self.boundjid.bare, node, "current", element, form)

    async def publish_bundle(self):
        bundle = self.manager.get_bundle(NS_OMEMO_TMP)
        await self.publish(f"{LEGACY}.bundles:{bundle.device_id}", bundle_element(bundle))

    async def list_changed(self, stanza):
        for root in stanza.xml.iter(tag("list")):
            self.manager.update_devicelist(stanza["from"].bare, {int(d.get("id")) for d in root.iter(tag("device"))})

    async def fetch(self, jid, node):
        try:
            answer = await self.plugin["xep_0060"].get_items(jid, node, max_items=1)
        except Exception:  # noqa: BLE001  (a node that is not there)
            return None
        return next(iter(answer["pubsub"]["items"]["item"].xml), None) if len(answer["pubsub"]["items"]) else None

    async def fetch_list(self, jid):
        root = await self.fetch(jid, LIST)
        return set() if root is None else {int(d.get("id")) for d in root.iter(tag("device"))}

    async def encrypt_and_send(self, to, text):
        people = await self.recipients(to)
        for jid in people:
            self.manager.update_devicelist(jid, await self.fetch_list(jid))
        errors = []
        for jid in people | {self.boundjid.bare}:
            for device in self.manager.get_devices_without_sessions(jid):
                root = await self.fetch(jid, f"{LEGACY}.bundles:{device}")
                try:
                    if root is None:
                        raise ValueError("it has no bundle")
                    self.manager.build_session(jid, parse_bundle(root, device))
                    self.send_encrypted(jid, LEGACY, message_element(self.manager.encrypt_key_transport(jid, [device])))
                except Exception as error:  # noqa: BLE001
                    errors.append(f"{jid} {device}: {type(error).__name__}: {error}")
                    self.manager.remove_device(jid, device)
        if to in self.rooms.nicks:
            self.manager.set_group_members(to, people)
            message = self.manager.encrypt(to, text, groupchat=True)
        else:
            message = self.manager.encrypt(to, text, groupchat=False)
        if message is None:
            raise ValueError("; ".join(errors) or "no device to encrypt to")
        self.send_encrypted(to, LEGACY, message_element(message))
        return 1, errors

    async def decrypt(self, sender, namespace, element):
        if namespace != LEGACY:
            raise NotForUs("a version this client does not speak")
        try:
            plain, _, _ = self.manager.decrypt_message(parse_message(element), sender)
        except KeyExchangeMessage:
            return None
        except MessageNotForDevice as error:
            raise NotForUs("no key for this device") from error
        return plain

    async def list_devices(self, jid):
        self.manager.update_devicelist(jid, await self.fetch_list(jid))
        known = {info.device_id: info.public_key.get_fingerprint() for info in self.manager.get_identity_infos(jid)}
        return [{"id": device, "fingerprint": known.get(device), "protocols": [LEGACY]} for device in self.manager.get_devices(jid)]


DrBot(arguments()).run()
