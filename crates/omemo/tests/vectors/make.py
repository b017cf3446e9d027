#!/usr/bin/env python3
"""Writes vectors.json: what python-omemo (oldmemo, twomemo) puts on the wire, and what it means.

Run with a Python that has `omemo`, `oldmemo[xml]` and `twomemo[xml]`; prints to standard output. All randomness is derived
from fixed words, except message keys that the libraries draw themselves.
"""
import asyncio
import base64
import hashlib
import importlib.metadata
import json
import xml.etree.ElementTree as ET

import doubleratchet
import oldmemo
import oldmemo.etree
import oldmemo.oldmemo as old
import twomemo
import twomemo.etree
import twomemo.twomemo as two
import x3dh
import xeddsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from omemo import Message, SignedLabel

JULIET, ROMEO = "juliet@capulet.example", "romeo@montague.example"


def drawn(word: str, length: int) -> bytes:
    return hashlib.shake_256(word.encode()).digest(length)


def text(element: ET.Element) -> str:
    return ET.tostring(element, encoding="unicode")


def device_lists():
    ids = [1, 27183, 0x7FFFFFFF, 0]
    yield {"version": "legacy", "xml": text(oldmemo.etree.serialize_device_list({i: None for i in ids})),
           "devices": [[i, None, None] for i in ids]}
    labelled = {i: None for i in ids}
    label, signature = "Gär<ten> & \"Ü\"'s\n🌱", drawn("labelsig", 64)
    labelled[27183] = SignedLabel(label, signature)
    yield {"version": "omemo2", "xml": text(twomemo.etree.serialize_device_list(labelled)),
           "devices": [[i, label, base64.b64encode(signature).decode()] if i == 27183 else [i, None, None] for i in ids]}
    for version, module in (("legacy", oldmemo.etree), ("omemo2", twomemo.etree)):
        yield {"version": version, "xml": text(module.serialize_device_list({})), "devices": []}


def bundle_of(word: str, legacy: bool, prekeys: int):
    seed = drawn(word + " seed", 32)
    identity = xeddsa.seed_to_ed25519_pub(seed)
    signed_prekey = xeddsa.priv_to_curve25519_pub(drawn(word + " spk", 32))
    signature = xeddsa.ed25519_seed_sign(seed, (b"\x05" if legacy else b"") + signed_prekey)
    keys = {xeddsa.priv_to_curve25519_pub(drawn(f"{word} pk {i}", 32)): i for i in range(1, prekeys + 1)}
    implementation = old.BundleImpl if legacy else two.BundleImpl
    return implementation(JULIET, 27183, x3dh.Bundle(identity, signed_prekey, signature, frozenset(keys)), 7, keys)


def bundles():
    for word, prekeys in (("one", 100), ("two", 1), ("three", 25), ("four", 2)):
        for legacy in (True, False):
            bundle = bundle_of(word, legacy, prekeys)
            element = (oldmemo if legacy else twomemo).etree.serialize_bundle(bundle)
            identity, signature = bundle.bundle.identity_key, bytearray(bundle.bundle.signed_pre_key_sig)
            if legacy:
                signature[63] |= identity[31] & 0x80
                identity = xeddsa.ed25519_pub_to_curve25519_pub(identity)
            yield {"version": "legacy" if legacy else "omemo2", "xml": text(element), "identity_key": identity.hex(),
                   "signed_prekey_id": 7, "signed_prekey": bundle.bundle.signed_pre_key.hex(), "signature": bytes(signature).hex(),
                   "prekeys": sorted([i, k.hex()] for k, i in bundle.pre_key_ids.items())}


def key_of(module, jid: str, device: int, kex: bool):
    """A well-formed ratchet message whose contents mean nothing, as python-omemo's objects and as bytes."""
    word = f"{module.__name__} {jid} {device}"
    legacy = module is old
    ratchet = xeddsa.priv_to_curve25519_pub(drawn(word + " ratchet", 32))
    if legacy:
        message = module.OMEMOMessage(dh_pub=b"\x05" + ratchet, n=device % 5, pn=1, ciphertext=drawn(word, 48)).SerializeToString()
        data = b"\x33" + message + drawn(word + " mac", 8)
    else:
        message = module.OMEMOMessage(dh_pub=ratchet, n=device % 5, pn=1, ciphertext=drawn(word, 64)).SerializeToString()
        data = module.OMEMOAuthenticatedMessage(mac=drawn(word + " mac", 16), message=message).SerializeToString()
    material = module.EncryptedKeyMaterialImpl.parse(data, jid, device)
    exchange = None
    if kex:
        identity = xeddsa.seed_to_ed25519_pub(drawn(word + " ik", 32))
        ephemeral = xeddsa.priv_to_curve25519_pub(drawn(word + " ek", 32))
        exchange = module.KeyExchangeImpl(x3dh.Header(identity, ephemeral, b"", b""), 7, device % 100 + 1)
        data = exchange.serialize(data)[0] if legacy else exchange.serialize(data)
    return (material, exchange), [jid, device, kex, data.hex()]


def messages():
    recipients = [(JULIET, 1, True), (JULIET, 27183, False), (ROMEO, 0x7FFFFFFF, True), (ROMEO, 5, False), (ROMEO, 1, False)]
    for module, etree, version in ((old, oldmemo.etree, "legacy"), (two, twomemo.etree, "omemo2")):
        for empty in (False, True):
            keys, meanings = zip(*(key_of(module, *r) for r in recipients))
            ciphertext, iv = (b"" if empty else drawn("payload", 77 if version == "legacy" else 80)), drawn("iv", 12)
            content = module.ContentImpl(ciphertext, iv) if version == "legacy" else module.ContentImpl(ciphertext)
            message = Message(module.NAMESPACE, ROMEO, 31415, content, frozenset(keys))
            yield {"version": version, "xml": text(etree.serialize_message(message)), "sid": 31415, "keys": list(meanings),
                   "iv": iv.hex() if version == "legacy" else None, "payload": None if empty else ciphertext.hex()}


async def payloads():
    for plain in ("", "O Romeo, Romeo!", "🌹" * 300, "x" * 4095):
        plain = plain.encode()
        content, material = await old.Oldmemo.encrypt_plaintext(None, plain)
        yield {"version": "legacy", "key_material": (material.key + material.auth_tag).hex(), "iv": content.initialization_vector.hex(),
               "payload": content.ciphertext.hex(), "plain": plain.hex()}
        content, material = await two.Twomemo.encrypt_plaintext(None, plain)
        yield {"version": "omemo2", "key_material": (material.key + material.auth_tag).hex(), "iv": None,
               "payload": content.ciphertext.hex(), "plain": plain.hex()}
    # IVs of other lengths, which older clients send; the tag in the key or in the payload
    for length in (8, 11, 12, 13, 16, 17, 32, 64, 100):
        key, iv, plain = drawn(f"key {length}", 16), drawn(f"iv {length}", length), drawn(f"plain {length}", length * 3)
        sealed = AESGCM(key).encrypt(iv, plain, None)
        yield {"version": "legacy", "key_material": (key + sealed[-16:]).hex(), "iv": iv.hex(), "payload": sealed[:-16].hex(), "plain": plain.hex()}
        yield {"version": "legacy", "key_material": key.hex(), "iv": iv.hex(), "payload": sealed.hex(), "plain": plain.hex()}


async def main():
    print(json.dumps({
        "made_by": {name: importlib.metadata.version(name) for name in ("omemo", "oldmemo", "twomemo")},
        "device_lists": list(device_lists()),
        "bundles": list(bundles()),
        "messages": list(messages()),
        "payloads": [p async for p in payloads()],
    }, indent=1, ensure_ascii=False))


asyncio.run(main())
