"""python-omemo as a device of bob, without a network: the test carries what is published and what is sent.

Reads an object a line: {"pep": {"owner|node|item": xml, …}, "do": "start" | "encrypt" | "decrypt", …}; answers with
{"pep": what it published, "out": stanzas it wants sent, "text" or "error"}.
"""

import asyncio
import json
import logging
import sys
from xml.etree import ElementTree as ET

import oldmemo
import oldmemo.etree
import twomemo
import twomemo.etree
from omemo import BundleNotFound, SessionManager, TrustLevel
from omemo.storage import Just, Nothing, Storage

ME, PEER = "bob@example.org", "alice@example.org"
NEW, OLD = "urn:xmpp:omemo:2", "eu.siacs.conversations.axolotl"
ETREE = {NEW: twomemo.etree, OLD: oldmemo.etree}
SCE, CLIENT = "urn:xmpp:sce:1", "jabber:client"
pep, changed, out = {}, {}, []


def list_node(namespace):
    return f"{NEW}:devices" if namespace == NEW else f"{OLD}.devicelist"


def bundle_place(namespace, jid, device):
    return f"{jid}|{NEW}:bundles|{device}" if namespace == NEW else f"{jid}|{OLD}.bundles:{device}|current"


def publish(place, element):
    pep[place] = changed[place] = ET.tostring(element, encoding="unicode")


class Memory(Storage):
    rows = {}

    async def _load(self, key):
        return Just(self.rows[key]) if key in self.rows else Nothing()

    async def _store(self, key, value):
        self.rows[key] = value

    async def _delete(self, key):
        self.rows.pop(key, None)


class Manager(SessionManager):
    @staticmethod
    async def _upload_bundle(bundle):
        publish(bundle_place(bundle.namespace, ME, bundle.device_id), ETREE[bundle.namespace].serialize_bundle(bundle))

    @staticmethod
    async def _download_bundle(namespace, bare_jid, device_id):
        xml = pep.get(bundle_place(namespace, bare_jid, device_id))
        if xml is None:
            raise BundleNotFound()
        return ETREE[namespace].parse_bundle(ET.fromstring(xml), bare_jid, device_id)

    @staticmethod
    async def _delete_bundle(namespace, device_id):
        pass

    @staticmethod
    async def _upload_device_list(namespace, device_list):
        publish(f"{ME}|{list_node(namespace)}|current", ETREE[namespace].serialize_device_list(device_list))

    @staticmethod
    async def _download_device_list(namespace, bare_jid):
        xml = pep.get(f"{bare_jid}|{list_node(namespace)}|current")
        return {} if xml is None else ETREE[namespace].parse_device_list(ET.fromstring(xml))

    async def _evaluate_custom_trust_level(self, device):
        return TrustLevel.TRUSTED

    async def _make_trust_decision(self, undecided, identifier):
        pass

    @staticmethod
    async def _send_message(message, bare_jid):
        out.append(ET.tostring(ETREE[message.namespace].serialize_message(message), encoding="unicode"))


def seal(text):
    envelope = ET.Element(f"{{{SCE}}}envelope")
    ET.SubElement(ET.SubElement(envelope, f"{{{SCE}}}content"), f"{{{CLIENT}}}body").text = text
    ET.SubElement(envelope, f"{{{SCE}}}rpad").text = "padding"
    ET.SubElement(envelope, f"{{{SCE}}}from", {"jid": ME})
    return ET.tostring(envelope)


async def handle(manager, line):
    pep.update(line["pep"])
    if line["do"] == "encrypt":
        for namespace in line["versions"]:
            await manager.refresh_device_list(namespace, PEER)
        plain = {NEW: seal(line["text"]), OLD: line["text"].encode()}
        messages, errors = await manager.encrypt(frozenset({PEER}), {n: plain[n] for n in line["versions"]}, line["versions"])
        for message in messages:
            out.append(ET.tostring(ETREE[message.namespace].serialize_message(message), encoding="unicode"))
        return "; ".join(str(e) for e in errors)
    element = ET.fromstring(line["xml"])
    if element.tag.startswith(f"{{{NEW}}}"):
        message = twomemo.etree.parse_message(element, PEER)
    else:
        message = await oldmemo.etree.parse_message(element, PEER, ME, manager)
    plain, _, _ = await manager.decrypt(message)
    if plain is None or message.namespace == OLD:
        return None if plain is None else plain.decode()
    return ET.fromstring(plain).findtext(f"{{{SCE}}}content/{{{CLIENT}}}body")


async def main():
    manager = None
    for line in sys.stdin:
        line = json.loads(line)
        changed.clear()
        out.clear()
        answer = {}
        try:
            if line["do"] == "start":
                pep.update(line["pep"])
                storage = Memory()
                make = {NEW: twomemo.Twomemo, OLD: oldmemo.Oldmemo}
                manager = await Manager.create([make[v](storage) for v in line["versions"]], storage, ME, None, "undecided")
                await manager.after_history_sync()
                me, _ = await manager.get_own_device_information()
                answer["device"] = me.device_id
            else:
                answer["text"] = await handle(manager, line)
        except Exception as error:
            answer["error"] = f"{type(error).__name__}: {error}"
        print(json.dumps({**answer, "pep": changed, "out": out}), flush=True)


logging.disable(logging.ERROR)
asyncio.run(main())
