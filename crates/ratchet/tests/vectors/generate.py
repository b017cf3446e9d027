#!/usr/bin/env python3
"""Writes conversations of other implementations, with every private key, to the JSON files beside this script.

Needs: pip install OMEMO Oldmemo Twomemo omemo-dr
tests/vectors.rs plays each side: it reads what the other side wrote and, given the same private keys, writes the same
bytes as python-omemo did. omemo-dr stands for libsignal: its messages carry a registration id and the counter of the
previous chain less one, so they are only read.
"""
import asyncio
import json
import os
import pathlib
import secrets

import oldmemo.oldmemo
import omemo_dr.const
import twomemo.twomemo
import xeddsa
from doubleratchet.recommended import diffie_hellman_ratchet_curve25519
from omemo.identity_key_pair import IdentityKeyPair
from omemo.storage import Just, Nothing, Storage
from omemo_dr.ecc.curve import Curve
from omemo_dr.exceptions import DuplicateMessageException
from omemo_dr.protocol.prekeywhispermessage import PreKeyWhisperMessage
from omemo_dr.protocol.whispermessage import WhisperMessage
from omemo_dr.sessionbuilder import SessionBuilder
from omemo_dr.sessioncipher import SessionCipher
from omemo_dr.state.prekeybundle import PreKeyBundle
from omemo_dr.state.sessionrecord import SessionRecord
from omemo_dr.structs import OMEMOBundle
from omemo_dr.util.keyhelper import KeyHelper

HERE = pathlib.Path(__file__).parent
PRIVATE = {}  # Montgomery public key -> private key


def remember(private):
    PRIVATE[xeddsa.priv_to_curve25519_pub(private)] = private
    return private


tokens = secrets.token_bytes
secrets.token_bytes = lambda size: remember(tokens(size)) if size == 32 else tokens(size)
ratchet = diffie_hellman_ratchet_curve25519.DiffieHellmanRatchet
ratchet_private = ratchet._generate_priv
ratchet._generate_priv = staticmethod(lambda: remember(ratchet_private()))
curve_private = Curve._generate_private_key
Curve._generate_private_key = staticmethod(lambda: remember(curve_private()))

# who sends, or who receives which message. Late ones, a repeated exchange, several turns.
SCRIPT = [
    ("send", "alice"), ("send", "alice"), ("send", "alice"), ("receive", "bob", 0), ("receive", "bob", 2),
    ("send", "bob"), ("send", "bob"), ("receive", "alice", 4), ("send", "alice"), ("send", "alice"),
    ("receive", "bob", 6), ("receive", "bob", 1), ("receive", "alice", 3), ("send", "bob"), ("receive", "alice", 7),
    ("send", "alice"), ("receive", "bob", 8), ("receive", "bob", 5),
] + [
    step
    for turn in range(4)
    for step in [
        ("send", "bob"), ("receive", "alice", 9 + 2 * turn), ("send", "alice"), ("receive", "bob", 10 + 2 * turn),
    ]
]


class Memory(Storage):
    def __init__(self):
        super().__init__()
        self.values = {}

    async def _load(self, key):
        return Just(self.values[key]) if key in self.values else Nothing()

    async def _store(self, key, value):
        self.values[key] = value

    async def _delete(self, key):
        self.values.pop(key, None)


class Python:
    """A device of python-omemo, one version."""

    def __init__(self, module, sign):
        self.module, self.sign = module, sign

    async def start(self):
        backend = {oldmemo: "Oldmemo", twomemo: "Twomemo"}[self.module]
        while True:
            storage = Memory()
            identity = await IdentityKeyPair.get(storage)
            if identity.identity_key[31] >> 7 == self.sign:
                break
        self.backend = getattr(getattr(self.module, backend.lower()), backend)(storage)
        self.private, self.ed = identity.as_priv().priv, identity.identity_key
        await self.backend.generate_pre_keys(3)
        self.bundle = await self.backend.get_bundle("x@example.org", 1)
        self.session = None
        return self

    def describe(self):
        bundle, old = self.bundle.bundle, self.module is oldmemo
        typed = (lambda key: (b"\x05" + key).hex()) if old else bytes.hex
        identity = typed(xeddsa.ed25519_pub_to_curve25519_pub(self.ed)) if old else self.ed.hex()
        signature = bytearray(bundle.signed_pre_key_sig)
        if old:  # the sign bit of the key travels in the signature
            signature[63] |= self.ed[31] & 0x80
        return {
            "private": self.private.hex(),
            "identity": identity,
            "fingerprint": xeddsa.ed25519_pub_to_curve25519_pub(self.ed).hex(),
            "signed_pre_key": {
                "id": self.bundle.signed_pre_key_id,
                "private": PRIVATE[bundle.signed_pre_key].hex(),
                "public": typed(bundle.signed_pre_key),
                "signature": signature.hex(),
            },
            "pre_keys": [
                {"id": number, "private": PRIVATE[key].hex(), "public": typed(key)}
                for key, number in self.bundle.pre_key_ids.items()
            ],
        }

    async def send(self, other, plain):
        lib = getattr(self.module, self.module.__name__)
        split = lib.PlainKeyMaterialImpl.KEY_LENGTH
        material = lib.PlainKeyMaterialImpl(plain[:split], plain[split:])
        extra = {}
        if self.session is None:
            self.session, encrypted = await self.backend.build_session_active("y@example.org", 2, other.bundle, material)
            extra["ephemeral"] = PRIVATE[self.session.key_exchange.header.ephemeral_key].hex()
            extra["pre_key"] = self.session.key_exchange.pre_key_id
        else:
            encrypted = await self.backend.encrypt_key_material(self.session, material)
        data = encrypted.serialize()
        exchange = self.session.initiation.name == "ACTIVE" and not self.session.confirmed
        if exchange:
            data = self.session.key_exchange.serialize(data)
            data = data[0] if self.module is oldmemo else data
        key = encrypted.encrypted_message.header.ratchet_pub
        return {"exchange": exchange, "bytes": data.hex(), "ratchet": PRIVATE[key].hex(), **extra}

    async def receive(self, other, record):
        lib = getattr(self.module, self.module.__name__)
        data = bytes.fromhex(record["bytes"])
        exchange = None
        if record["exchange"]:
            sign = [bool(other.ed[31] >> 7)] if self.module is oldmemo else []
            exchange, data = lib.KeyExchangeImpl.parse(data, *sign)
        encrypted = lib.EncryptedKeyMaterialImpl.parse(data, "y@example.org", 2)
        if self.session is None:
            self.session, material = await self.backend.build_session_passive("y@example.org", 2, exchange, encrypted)
        else:
            material = await self.backend.decrypt_key_material(self.session, encrypted)
        return material.key + material.auth_tag


class Store:
    """What omemo-dr asks of a store, for one contact."""

    def __init__(self):
        self.identity = KeyHelper.generate_identity_key_pair()
        self.signed = KeyHelper.generate_signed_pre_key(self.identity, 1)
        self.one_time = {record.get_id(): record for record in KeyHelper.generate_pre_keys(1, 3)}
        self.record = SessionRecord()

    get_identity_key_pair = lambda self: self.identity
    get_our_device_id = lambda self: 77
    save_identity = lambda self, *_: None
    is_trusted_identity = lambda self, *_: True
    load_pre_key = lambda self, number: self.one_time[number]
    remove_pre_key = lambda self, number: None
    load_signed_pre_key = lambda self, _: self.signed
    load_session = lambda self, *_: self.record
    contains_session = lambda self, *_: True

    def store_session(self, _recipient, _device, record):
        self.record = SessionRecord(serialized=record.serialize())


class Gajim:
    """A device of omemo-dr."""

    async def start(self):
        self.store = Store()
        self.cipher = SessionCipher(self.store, "y@example.org", 2)
        return self

    def describe(self):
        keys, signed = self.store.identity, self.store.signed
        public = keys.get_public_key().serialize()
        return {
            "private": keys.get_private_key().serialize().hex(),
            "identity": public.hex(),
            "fingerprint": public[1:].hex(),
            "signed_pre_key": {
                "id": 1,
                "private": signed.get_key_pair().get_private_key().serialize().hex(),
                "public": signed.get_key_pair().get_public_key().serialize().hex(),
                "signature": signed.get_signature().hex(),
            },
            "pre_keys": [
                {
                    "id": number,
                    "private": record.get_key_pair().get_private_key().serialize().hex(),
                    "public": record.get_key_pair().get_public_key().serialize().hex(),
                }
                for number, record in self.store.one_time.items()
            ],
        }

    async def send(self, other, plain):
        extra = {}
        if self.store.record.is_fresh():
            theirs = other.describe()
            signed = theirs["signed_pre_key"]
            key = theirs["pre_keys"][0]
            bundle = OMEMOBundle(
                77, bytes.fromhex(theirs["identity"]), omemo_dr.const.NS_OMEMO_TMP,
                [{"id": key["id"], "key": bytes.fromhex(key["public"])}],
                {"id": 1, "key": bytes.fromhex(signed["public"])}, bytes.fromhex(signed["signature"]),
            )
            SessionBuilder(self.store, "y@example.org", 2).process_pre_key_bundle(PreKeyBundle.from_proto(bundle))
            items = self.store.record.get_session_state().get_unacknowledged_pre_key_message_items()
            extra["ephemeral"] = PRIVATE[items.get_base_key().get_bytes()].hex()
            extra["pre_key"] = key["id"]
        message = self.cipher.encrypt(plain)
        exchange = isinstance(message, PreKeyWhisperMessage)
        key = self.store.record.get_session_state().get_sender_ratchet_key().get_bytes()
        return {"exchange": exchange, "bytes": message.serialize().hex(), "ratchet": PRIVATE[key].hex(), **extra}

    async def receive(self, other, record):
        data = bytes.fromhex(record["bytes"])
        if record["exchange"]:
            return self.cipher.decrypt_pkmsg(PreKeyWhisperMessage.from_bytes(data))
        return self.cipher.decrypt_msg(WhisperMessage.from_bytes(data))


async def conversation(name, profile, written_alike, alice, bob):
    alice, bob = await alice.start(), await bob.start()
    sides = {"alice": (alice, bob), "bob": (bob, alice)}
    described = {name: side.describe() for name, (side, _) in sides.items()}
    events, messages = [], []
    for step in SCRIPT:
        me, other = sides[step[1]]
        if step[0] == "send":
            plain = os.urandom(48 if profile == "omemo 2" else 32)
            record = await me.send(other, plain)
            events.append({"send": step[1], "plain": plain.hex(), **record})
            messages.append(events[-1])
        else:
            record = messages[step[2]]
            assert (await me.receive(other, record)).hex() == record["plain"], step
            events.append({"receive": step[1], "message": step[2]})
    document = {"profile": profile, "written_alike": written_alike, **described, "events": events}
    (HERE / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")


def signatures():
    """XEdDSA with the random part given, by libxeddsa."""
    vectors = []
    for length in [0, 1, 32, 33, 200] * 2:
        private, message, nonce = bytearray(os.urandom(32)), os.urandom(length), os.urandom(64)
        private[0], private[31] = private[0] & 248, private[31] & 127 | 64
        private = bytes(private)
        forced = xeddsa.priv_force_sign(private, False)
        vectors.append({
            "private": private.hex(), "message": message.hex(), "random": nonce.hex(),
            "signature": xeddsa.ed25519_priv_sign(forced, message, nonce).hex(),
            "curve25519": xeddsa.priv_to_curve25519_pub(private).hex(),
            "ed25519": xeddsa.curve25519_pub_to_ed25519_pub(xeddsa.priv_to_curve25519_pub(private), False).hex(),
        })
    (HERE / "xeddsa.json").write_text(json.dumps(vectors, indent=1) + "\n")


async def main():
    signatures()
    await conversation("oldmemo", "legacy", True, Python(oldmemo, 0), Python(oldmemo, 0))
    await conversation("oldmemo_sign_bit", "legacy", True, Python(oldmemo, 1), Python(oldmemo, 1))
    await conversation("twomemo", "omemo 2", True, Python(twomemo, 0), Python(twomemo, 0))
    await conversation("twomemo_sign_bit", "omemo 2", False, Python(twomemo, 1), Python(twomemo, 1))
    await conversation("omemo_dr", "legacy", False, Gajim(), Gajim())


asyncio.run(main())
