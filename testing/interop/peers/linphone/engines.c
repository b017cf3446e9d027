/* Engines for a LinphoneCore, in the manner of the samples that are known for it: as small as they can be, and no
 * protection at all but for `files=aes`. What an application writes is examples/linphone.
 *
 * Owns: what the six callbacks do, as words describe it.
 *   text=xor          Linphone's XOR sample and its key: raw bytes as the body, so what becomes NUL is cut (a body is a C string)
 *   text=xor-sample   the same to the letter: encrypts all there is and refuses with 488 what it does not know, typing notices too
 *   text=hex          XOR, its bytes as hex digits
 *   text=b64          what Liblinphone's own tests run
 *   text=skip         leaves everything as it is
 *   text=empty        is done and leaves an empty body
 *   async             answers 1, and finishes in the next turn of the core
 *   late=N            with async, PORTED only: finishes by refusing with N
 *   nests             PORTED only: sends another message from inside of the first one's callback, and turns the core
 *   in=N, out=N       a callback that returns N
 *   files=xor         32 random bytes as the key
 *   files=aes         AES-256-GCM: a key and a nonce are the key, and behind them, when the upload has ended, the tag
 *   shrink            takes multiples of 16 from an upload, but for its end
 *   up=N, down=N      refuses with N the chunk in which byte 30 000 is
 * Compiled a second time with the names of port.h (and PORTED), it is an engine for subrosa.h: only how something is put off differs, and that a tag has a place of its own.
 */
#include "phone.h"
#ifdef PORTED
#include "port.h"
#else
#include <linphone/core_utils.h>
#include <linphone/im_encryption_engine.h>
#endif

#include <bctoolbox/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY "SuperSecretXorKey"
#define OFFER "application/vnd.gsma.rcs-ft-http+xml"
#define CIPHER "cipher/"

enum { AES_KEY = 32, AES_NONCE = 12, AES_TAG = 16, XOR_KEY = 32, REFUSED_BYTE = 30000 };
#ifdef PORTED
enum { AES_SIZE = AES_KEY + AES_NONCE };
#else
enum { AES_SIZE = AES_KEY + AES_NONCE + AES_TAG };
#endif

static struct {
	enum { SKIP, XOR, XOR_SAMPLE, HEX, B64, EMPTY } text;
	enum { CLEAR_FILES, XOR_FILES, AES_FILES } files;
	bool async, shrink, nests;
	int in, out, up, down, late; /* 0: none */
} engine;

/* An AES context of a transfer, found again by its content. */
static struct transfer {
	LinphoneContent *content;
	bctbx_aes_gcm_context_t *aes;
} transfers[8];

static char *xor(const char *bytes, size_t size) {
	char *out = malloc(size + 1);
	for (size_t i = 0; i < size; i++) out[i] = bytes[i] ^ KEY[i % strlen(KEY)];
	out[size] = 0;
	return out;
}

static char *encode(const char *text) {
	size_t size = strlen(text), encoded = 0;
	if (engine.text == XOR || engine.text == XOR_SAMPLE) return xor(text, size);
	if (engine.text == EMPTY) return strdup("");
	if (engine.text == HEX) {
		char *bytes = xor(text, size), *digits = hex(bytes, size);
		free(bytes);
		return digits;
	}
	bctbx_base64_encode(NULL, &encoded, (const unsigned char *)text, size);
	char *out = calloc(1, encoded + 1);
	bctbx_base64_encode((unsigned char *)out, &encoded, (const unsigned char *)text, size);
	return out;
}

/* NULL: it is not of this encoding. */
static char *decode(const char *body) {
	size_t size = strlen(body), decoded = 0;
	if (engine.text == XOR || engine.text == XOR_SAMPLE) return xor(body, size);
	if (engine.text == HEX) {
		uint8_t *bytes = unhex(body, &decoded);
		char *text = bytes ? xor((char *)bytes, decoded) : NULL;
		free(bytes);
		return text;
	}
	bctbx_base64_decode(NULL, &decoded, (const unsigned char *)body, size);
	char *out = calloc(1, decoded + 1);
	if (bctbx_base64_decode((unsigned char *)out, &decoded, (const unsigned char *)body, size) == 0) return out;
	free(out);
	return NULL;
}

static const char *cipher_type(void) {
	static const char *const names[] = { [XOR] = CIPHER "xor", [XOR_SAMPLE] = CIPHER "xor", [HEX] = CIPHER "xor-hex", [B64] = CIPHER "b64", [EMPTY] = CIPHER "empty" };
	return names[engine.text];
}

static int encrypt(LinphoneChatMessage *message) {
	const char *type = linphone_chat_message_get_content_type(message), *text = linphone_chat_message_get_utf8_text(message);
	bool offer = type && !strcmp(type, OFFER);
	if (engine.text == SKIP || !text) return -1;
	if (type && !strncmp(type, CIPHER, strlen(CIPHER))) return 0; /* what was put off comes by once more */
	if (engine.text != XOR_SAMPLE && !offer && !(type && !strcmp(type, "text/plain"))) return -1;
	char *body = encode(text), cipher[128];
	snprintf(cipher, sizeof cipher, "%s%s", cipher_type(), offer && engine.text != XOR_SAMPLE ? "-file" : "");
	linphone_chat_message_set_utf8_text(message, body);
	linphone_chat_message_set_content_type(message, cipher);
	free(body);
	return 0;
}

static int decrypt(LinphoneChatMessage *message) {
	const char *type = linphone_chat_message_get_content_type(message), *body = linphone_chat_message_get_utf8_text(message);
	if (!type || !body) return 500;
	if (engine.text == SKIP) return -1;
	size_t length = strlen(cipher_type());
	if (strncmp(type, cipher_type(), length)) {
		bool known = engine.text != XOR_SAMPLE || !strcmp(type, "text/plain");
		return known ? -1 : 488;
	}
	char *text = decode(body);
	if (!text) return 400;
	linphone_chat_message_set_utf8_text(message, text);
	linphone_chat_message_set_content_type(message, strcmp(type + length, "-file") ? "text/plain" : OFFER);
	free(text);
	return 0;
}

#ifdef PORTED
void nest(void);
static subrosa_machine *machine;
static struct later {
	uint64_t token;
	bool incoming;
	char *type, *body;
} later[16];

/* Done on another thread it would be the same: whoever has the token may complete it. */
void ported_finish(void) {
	for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
		struct later one = later[i];
		if (!one.token) continue;
		later[i].token = 0;
		char *done = engine.late ? NULL : one.incoming ? decode(one.body) : encode(one.body);
		int code = done ? 0 : engine.late ? engine.late : 400;
		say("{\"event\":\"finished\",\"code\":%d}", code);
		if (done) subrosa_machine_complete(machine, one.token, one.type, (uint8_t *)done, strlen(done), NULL);
		else subrosa_machine_complete_rejected(machine, one.token, code, NULL);
		free(one.type), free(one.body), free(done);
	}
}

static int put_off(LinphoneChatMessage *message, bool incoming) {
	for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
		if (later[i].token) continue;
		const char *type = linphone_chat_message_get_content_type(message), *body = linphone_chat_message_get_utf8_text(message);
		bool offer = incoming ? strlen(type) > 5 && !strcmp(type + strlen(type) - 5, "-file") : !strcmp(type, OFFER);
		char then[128];
		snprintf(then, sizeof then, "%s%s", incoming ? offer ? OFFER : "text/plain" : cipher_type(), !incoming && offer ? "-file" : "");
		later[i] = (struct later){ subrosa_message_defer(message), incoming, strdup(then), strdup(body) };
		return 1;
	}
	return 480;
}
#else
/* One thing that waits for the next turn of the core. A hook stays for good: taking it away from within itself would pull the list
 * from under the core that walks it. */
static struct later {
	LinphoneChatMessage *message;
	bool incoming;
} later[16];

static bool_t finish_later(void *core) {
	(void)core;
	for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
		struct later one = later[i];
		if (!one.message) continue;
		later[i].message = NULL;
		int code = one.incoming ? decrypt(one.message) : encrypt(one.message);
		say("{\"event\":\"finished\",\"code\":%d}", code);
		if (one.incoming) linphone_chat_room_receive_chat_message(linphone_chat_message_get_chat_room(one.message), one.message);
		else linphone_chat_message_send(one.message);
		linphone_chat_message_unref(one.message);
	}
	return TRUE;
}

static int put_off(LinphoneChatMessage *message, bool incoming) {
	for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
		if (later[i].message) continue;
		later[i] = (struct later){ linphone_chat_message_ref(message), incoming };
		return 1;
	}
	return 480;
}

#endif

static int told(const char *hook, LinphoneChatMessage *message, const char *type, int code) {
	(void)message;
	say("{\"event\":\"hook\",\"hook\":\"%s\",\"type\":\"%s\",\"code\":%d}", hook, type, code);
	return code;
}

static int outgoing(LinphoneImEncryptionEngine *e, LinphoneChatRoom *room, LinphoneChatMessage *message) {
	(void)e, (void)room;
#ifdef PORTED
	if (engine.nests) {
		engine.nests = false;
		nest();
	}
#endif
	const char *now = linphone_chat_message_get_content_type(message);
	char *type = strdup(now ? now : "");
	bool ours = !strcmp(type, "text/plain") || !strcmp(type, OFFER);
	int code = engine.out && ours ? engine.out : engine.async && ours ? put_off(message, false) : encrypt(message);
	told("outgoing", message, type, code);
	free(type);
	return code;
}

static int incoming(LinphoneImEncryptionEngine *e, LinphoneChatRoom *room, LinphoneChatMessage *message) {
	(void)e, (void)room;
	const char *now = linphone_chat_message_get_content_type(message);
	char *type = strdup(now ? now : "");
	bool ours = engine.text == SKIP ? !strcmp(type, "text/plain") : !strncmp(type, CIPHER, strlen(CIPHER));
	int code = engine.in && ours ? engine.in : engine.async && ours ? put_off(message, true) : decrypt(message);
	told("incoming", message, type, code);
	free(type);
	return code;
}

static bool_t encrypts_files(LinphoneImEncryptionEngine *e, LinphoneChatRoom *room) {
	(void)e, (void)room;
	return engine.files != CLEAR_FILES;
}

static void make_key(LinphoneImEncryptionEngine *e, LinphoneChatRoom *room, LinphoneChatMessage *message) {
	(void)e, (void)room;
	uint8_t key[AES_SIZE] = { 0 };
	bctbx_rng_context_t *rng = bctbx_rng_context_new();
	bctbx_rng_get(rng, key, engine.files == AES_FILES ? AES_KEY + AES_NONCE : XOR_KEY);
	bctbx_rng_context_free(rng);
	linphone_content_set_key(linphone_chat_message_get_file_transfer_information(message), (char *)key, engine.files == AES_FILES ? AES_SIZE : XOR_KEY);
}

#ifdef PORTED
static void keep_tag(LinphoneContent *content, const char *key, const uint8_t tag[AES_TAG]) {
	(void)key;
	subrosa_content_set_tag(content, tag, AES_TAG);
}

static bool has_tag(LinphoneContent *content, const char *key, const uint8_t tag[AES_TAG]) {
	(void)key;
	const uint8_t *sent = subrosa_content_get_tag(content, NULL);
	return sent && !memcmp(sent, tag, AES_TAG);
}
#else
static void keep_tag(LinphoneContent *content, const char *key, const uint8_t tag[AES_TAG]) {
	char whole[AES_SIZE];
	memcpy(whole, key, AES_KEY + AES_NONCE), memcpy(whole + AES_KEY + AES_NONCE, tag, AES_TAG);
	linphone_content_set_key(content, whole, sizeof whole);
}

static bool has_tag(LinphoneContent *content, const char *key, const uint8_t tag[AES_TAG]) {
	(void)content;
	return !memcmp(key + AES_KEY + AES_NONCE, tag, AES_TAG);
}
#endif

static struct transfer *transfer_of(LinphoneContent *content, const char *key, uint8_t mode) {
	struct transfer *unused = NULL;
	for (size_t i = 0; i < sizeof transfers / sizeof *transfers; i++) {
		if (transfers[i].content == content) return &transfers[i];
		if (!transfers[i].content && !unused) unused = &transfers[i];
	}
	if (unused) {
		const uint8_t *bytes = (const uint8_t *)key;
		*unused = (struct transfer){ content, bctbx_aes_gcm_context_new(bytes, AES_KEY, NULL, 0, bytes + AES_KEY, AES_NONCE, mode) };
	}
	return unused;
}

static int aes_chunk(LinphoneContent *content, const char *key, uint8_t mode, const uint8_t *in, size_t size, uint8_t *out) {
	struct transfer *transfer = transfer_of(content, key, mode);
	return transfer && bctbx_aes_gcm_process_chunk(transfer->aes, in, size, out) == 0 ? 0 : 500;
}

static int aes_end(LinphoneContent *content, const char *key, uint8_t mode, uint8_t tag[AES_TAG]) {
	struct transfer *transfer = transfer_of(content, key, mode);
	if (!transfer) return 500;
	int failed = bctbx_aes_gcm_finish(transfer->aes, tag, AES_TAG);
	transfer->content = NULL;
	return failed ? 500 : 0;
}

static int xor_chunk(const char *key, size_t offset, const uint8_t *in, size_t size, uint8_t *out) {
	for (size_t i = 0; i < size; i++) out[i] = in[i] ^ (uint8_t)key[(offset + i) % XOR_KEY];
	return 0;
}

static size_t key_of(LinphoneChatMessage *message, const char **key, LinphoneContent **content) {
	*content = linphone_chat_message_get_file_transfer_information(message);
	*key = *content ? linphone_content_get_key(*content) : NULL;
	return *key ? linphone_content_get_key_size(*content) : 0;
}

/* Which cipher a key belongs to is told by its length. */
static int upload(LinphoneImEncryptionEngine *e, LinphoneChatMessage *message, size_t offset, const uint8_t *in, size_t *size, uint8_t *out) {
	(void)e;
	LinphoneContent *content;
	const char *key;
	size_t length = key_of(message, &key, &content);
	if (!in || !size) {
		uint8_t tag[AES_TAG];
		if (length != AES_SIZE) return length ? 0 : -1;
		int code = aes_end(content, key, BCTBX_GCM_ENCRYPT, tag);
		if (!code) keep_tag(content, key, tag);
		return told("upload", message, "end", code);
	}
	int code = -1;
	if (engine.up && offset <= REFUSED_BYTE && REFUSED_BYTE < offset + *size) code = engine.up;
	else if (length) {
		size_t left = linphone_content_get_file_size(content) - offset;
		if (engine.shrink && *size < left) *size -= *size % 16;
		code = length == XOR_KEY ? xor_chunk(key, offset, in, *size, out) : aes_chunk(content, key, BCTBX_GCM_ENCRYPT, in, *size, out);
	}
	say("{\"event\":\"hook\",\"hook\":\"upload\",\"offset\":%zu,\"size\":%zu,\"code\":%d}", offset, *size, code);
	return code;
}

static int download(LinphoneImEncryptionEngine *e, LinphoneChatMessage *message, size_t offset, const uint8_t *in, size_t size, uint8_t *out) {
	(void)e;
	LinphoneContent *content;
	const char *key;
	size_t length = key_of(message, &key, &content);
	if (!in || !size) {
		if (length != AES_SIZE) return length ? 0 : -1;
		uint8_t tag[AES_TAG];
		int code = aes_end(content, key, BCTBX_GCM_DECRYPT, tag);
		if (!code && !has_tag(content, key, tag)) code = 488;
		return told("download", message, "end", code);
	}
	int code = -1;
	if (engine.down && offset <= REFUSED_BYTE && REFUSED_BYTE < offset + size) code = engine.down;
	else if (length) code = length == XOR_KEY ? xor_chunk(key, offset, in, size, out) : aes_chunk(content, key, BCTBX_GCM_DECRYPT, in, size, out);
	say("{\"event\":\"hook\",\"hook\":\"download\",\"offset\":%zu,\"size\":%zu,\"code\":%d}", offset, size, code);
	return code;
}

static bool word(char *text) {
	static const struct { const char *name; int value; } texts[] = { { "skip", SKIP }, { "xor", XOR }, { "xor-sample", XOR_SAMPLE }, { "hex", HEX }, { "b64", B64 }, { "empty", EMPTY } };
	char *value = strchr(text, '=');
	if (value) *value++ = 0;
	if (!strcmp(text, "async")) engine.async = true;
	else if (!strcmp(text, "nests")) engine.nests = true;
	else if (value && !strcmp(text, "late")) engine.late = atoi(value);
	else if (!strcmp(text, "shrink")) engine.shrink = true;
	else if (value && !strcmp(text, "in")) engine.in = atoi(value);
	else if (value && !strcmp(text, "out")) engine.out = atoi(value);
	else if (value && !strcmp(text, "up")) engine.up = atoi(value);
	else if (value && !strcmp(text, "down")) engine.down = atoi(value);
	else if (value && !strcmp(text, "files") && !strcmp(value, "xor")) engine.files = XOR_FILES;
	else if (value && !strcmp(text, "files") && !strcmp(value, "aes")) engine.files = AES_FILES;
	else if (value && !strcmp(text, "text")) {
		for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
			if (strcmp(texts[i].name, value)) continue;
			engine.text = texts[i].value;
			return true;
		}
		return false;
	} else return false;
	return true;
}

static bool understood(char *words) {
	memset(&engine, 0, sizeof engine);
	for (char *next, *one = strtok_r(words, " ", &next); one; one = strtok_r(NULL, " ", &next)) {
		if (word(one)) continue;
		say("{\"event\":\"failed\",\"what\":\"no engine is made of %s\"}", one);
		return false;
	}
	return true;
}

#ifdef PORTED
subrosa_engine *ported_engine(subrosa_machine *in, char *words) {
	static const subrosa_engine_cbs table = {
		.size = sizeof table,
		.process_outgoing_message = outgoing,
		.process_incoming_message = incoming,
		.is_encryption_enabled_for_file_transfer = encrypts_files,
		.generate_file_transfer_key = make_key,
		.process_uploading_file = upload,
		.process_downloading_file = download,
	};
	machine = in;
	return understood(words) ? subrosa_engine_new(&table, "sample", NULL, NULL) : NULL;
}
#else
bool engine_set(LinphoneCore *core, char *words) {
	static bool waits;
	if (!understood(words)) return false;
	LinphoneImEncryptionEngine *made = linphone_im_encryption_engine_new();
	LinphoneImEncryptionEngineCbs *cbs = linphone_im_encryption_engine_get_callbacks(made);
	linphone_im_encryption_engine_cbs_set_process_outgoing_message(cbs, outgoing);
	linphone_im_encryption_engine_cbs_set_process_incoming_message(cbs, incoming);
	linphone_im_encryption_engine_cbs_set_is_encryption_enabled_for_file_transfer(cbs, encrypts_files);
	linphone_im_encryption_engine_cbs_set_generate_file_transfer_key(cbs, make_key);
	linphone_im_encryption_engine_cbs_set_process_uploading_file(cbs, upload);
	linphone_im_encryption_engine_cbs_set_process_downloading_file(cbs, download);
	/* Replacing is safe; setting NULL while a file is on its way is not (the core's adapter stays and finds no engine). */
	linphone_core_set_im_encryption_engine(core, made);
	linphone_im_encryption_engine_unref(made);
	if (!waits) linphone_core_add_iterate_hook(core, finish_later, core);
	waits = true;
	return true;
}
#endif
