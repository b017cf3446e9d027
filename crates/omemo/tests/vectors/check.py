#!/usr/bin/env python3
"""Reads what Subrosa writes with the XSD-validating parsers of python-omemo.

One JSON object a line on standard input: {"kind", "version", "xml"}; one a line back: what was understood, or {"error"}.
"""
import asyncio
import json
import sys
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import oldmemo.etree
import oldmemo.oldmemo as old
import twomemo.etree
import twomemo.twomemo as two
import xeddsa


class Devices:
    """Stands for the session manager that oldmemo asks for the sign of the sender's key."""

    def __init__(self, sid):
        self.sid = sid

    async def get_device_information(self, _):
        return [SimpleNamespace(device_id=self.sid, identity_key=bytes(32))]


async def understood(kind, version, xml):
    element = ET.fromstring(xml)
    legacy = version == "legacy"
    etree, module = (oldmemo.etree, old) if legacy else (twomemo.etree, two)
    if kind == "device_list":
        return [[i, s and s.label, s and s.signature.hex()] for i, s in etree.parse_device_list(element).items()]
    if kind == "bundle":
        bundle = etree.parse_bundle(element, "juliet@capulet.example", 1)
        identity, signature = bundle.bundle.identity_key, bytearray(bundle.bundle.signed_pre_key_sig)
        if legacy:
            signature[63] |= identity[31] & 0x80
            identity = xeddsa.ed25519_pub_to_curve25519_pub(identity)
        return {"identity_key": identity.hex(), "signed_prekey_id": bundle.signed_pre_key_id,
                "signed_prekey": bundle.bundle.signed_pre_key.hex(), "signature": bytes(signature).hex(),
                "prekeys": sorted([i, k.hex()] for k, i in bundle.pre_key_ids.items())}
    if kind == "encrypted":
        sender, receiver = "romeo@montague.example", "juliet@capulet.example"
        if legacy:
            sid = int(element.find(f"{{{old.NAMESPACE}}}header").get("sid"))
            message = await etree.parse_message(element, sender, receiver, Devices(sid))
        else:
            message = etree.parse_message(element, sender)
        keys = [[m.bare_jid, m.device_id, x is not None, m.serialize().hex()] for m, x in message.keys]
        content = message.content
        return {"sid": message.device_id, "keys": sorted(keys), "payload": None if content.empty else content.ciphertext.hex(),
                "iv": content.initialization_vector.hex() if legacy and not content.empty else None}
    raise ValueError(kind)


async def decrypted(version, payload):
    material, content = (bytes.fromhex(payload[k]) for k in ("key_material", "payload"))
    if version == "legacy":
        plain = await old.Oldmemo.decrypt_plaintext(None, old.ContentImpl(content, bytes.fromhex(payload["iv"])),
                                                    old.PlainKeyMaterialImpl(material[:16], material[16:]))
    else:
        plain = await two.Twomemo.decrypt_plaintext(None, two.ContentImpl(content), two.PlainKeyMaterialImpl(material[:32], material[32:]))
    return plain.hex()


async def main():
    for line in sys.stdin:
        try:
            question = json.loads(line)
            if question["kind"] == "payload":
                answer = await decrypted(question["version"], question["payload"])
            else:
                answer = await understood(question["kind"], question["version"], question["xml"])
        except Exception as error:  # whatever it is, it is the answer
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


asyncio.run(main())
