/* Messages: Liblinphone's two callbacks over a machine, and the turn of the core in which what had to wait goes on.
 *
 * Owns the adapter and its jobs. What Liblinphone would do with an answer is said where it is given. */
#include "private.h"

#include <bctoolbox/crypto.h>
#include <linphone/core_utils.h>
#include <linphone/im_encryption_engine.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A body in Liblinphone is a C string. One with NUL in it travels as Base64, and its content type says so. */
#define NUL_SUFFIX "+b64"
/* No core supports it: what has this type is not shown, and its sender gets word that it failed. */
#define UNREADABLE_TYPE "application/x-subrosa-unreadable"
/* How long the sender of a pending message is left without a refusal. */
#define HOLD_MS 10000

static uint64_t now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void log_error(const char *what, subrosa_error *error) {
	const char *sentence = subrosa_error_get_message(error);
	bctbx_error("subrosa: %s: %s", what, sentence ? sentence : "no reason given");
	subrosa_error_free(error);
}

char *fresh_id(subrosa_linphone *adapter) {
	char *id = malloc(64);
	snprintf(id, 64, "linphone-%llx-%llx", adapter->run, ++adapter->count);
	return id;
}

char *plain_address(const LinphoneAddress *address) {
	const char *user = linphone_address_get_username(address), *domain = linphone_address_get_domain(address);
	size_t size = strlen(user ? user : "") + strlen(domain ? domain : "") + sizeof "sip:@";
	char *text = malloc(size);
	snprintf(text, size, "sip:%s%s%s", user ? user : "", user ? "@" : "", domain ? domain : "");
	return text;
}

/* Jobs */

struct job *job_new(subrosa_linphone *adapter, LinphoneChatMessage *message, enum way way, const char *id) {
	struct job *job = calloc(1, sizeof *job);
	job->message = message, job->way = way, job->id = strdup(id), job->next = adapter->jobs;
	return adapter->jobs = job;
}

void job_free(subrosa_linphone *adapter, struct job *job) {
	struct job **at = &adapter->jobs;
	while (*at && *at != job) at = &(*at)->next;
	if (*at) *at = job->next;
	if (job->later) linphone_chat_message_unref(job->message);
	subrosa_content_unref(job->file);
	subrosa_cipher_free(job->cipher);
	subrosa_question_free(job->question);
	free(job->id), free(job->type), free(job->body), free(job->sentence), free(job);
}

void job_refuse(struct job *job, int status) {
	job->state = REFUSED, job->status = status;
}

static void job_later(struct job *job) {
	job->later = true;
	linphone_chat_message_ref(job->message);
}

void job_end(subrosa_linphone *adapter, struct job *job) {
	if (job->state != REFUSED) return job_free(adapter, job);
	job->came = job->way == INCOMING, job->way = TOLD;
	if (!job->later) job_later(job);
}

static struct job *job_of(subrosa_linphone *adapter, LinphoneChatMessage *message, enum way way) {
	struct job *job = adapter->jobs;
	while (job && (job->message != message || job->way != way)) job = job->next;
	return job;
}

static struct job *job_called(subrosa_linphone *adapter, const char *id, bool incoming) {
	struct job *job = adapter->jobs;
	while (job && (!id || strcmp(job->id, id) || (job->way == INCOMING) != incoming)) job = job->next;
	return job;
}

static void keep_body(struct job *job, const subrosa_outputs *outputs) {
	size_t size = 0;
	const uint8_t *body = subrosa_output_get_body(outputs, &size);
	free(job->type), free(job->body);
	job->type = strdup(subrosa_output_get_content_type(outputs));
	job->body = malloc(size + 1);
	if (size) memcpy(job->body, body, size);
	job->body[size] = 0, job->size = size, job->state = DONE;
	job->clear = subrosa_output_is_in_clear(outputs);
}

/* What the machine wants done */

static void obey(subrosa_linphone *adapter, int output, subrosa_outputs *outputs) {
	bool incoming = output == SUBROSA_OUTPUT_MESSAGE || output == SUBROSA_OUTPUT_NOT_RECEIVED || output == SUBROSA_OUTPUT_ACCEPT || output == SUBROSA_OUTPUT_REFUSE;
	struct job *job = job_called(adapter, subrosa_output_get_message_id(outputs), incoming);
	int status = subrosa_output_get_status(outputs);
	switch (output) {
	case SUBROSA_OUTPUT_TRANSMIT:
		/* An engine with devices makes more than one body, or one for a device: rooms have no place for that. */
		if (job && subrosa_output_get_part(outputs) == 0 && subrosa_output_get_recipient_count(outputs)) keep_body(job, outputs);
		else if (job) job_refuse(job, 500);
		break;
	case SUBROSA_OUTPUT_MESSAGE:
		if (job) keep_body(job, outputs);
		break;
	case SUBROSA_OUTPUT_ACCEPT:
		if (job && job->state == OPEN) job->state = NOTHING;
		break;
	case SUBROSA_OUTPUT_REFUSE:
		if (job) job_refuse(job, status);
		break;
	case SUBROSA_OUTPUT_UPLOAD:
		if (!job) break;
		job->file = subrosa_output_get_file(outputs), job->clear = subrosa_output_is_in_clear(outputs);
		job->cipher = subrosa_output_take_cipher(outputs), job->state = DONE;
		break;
	case SUBROSA_OUTPUT_NOT_SENT:
	case SUBROSA_OUTPUT_NOT_RECEIVED: {
		const char *sentence = subrosa_output_get_sentence(outputs);
		if (!job) break;
		job_refuse(job, status);
		job->sentence = strdup(sentence ? sentence : ""), job->question = subrosa_output_take_question(outputs);
		break;
	}
	case SUBROSA_OUTPUT_FETCH:
	case SUBROSA_OUTPUT_PUBLISH:
	case SUBROSA_OUTPUT_DELETE:
	case SUBROSA_OUTPUT_EXCHANGE: /* an engine that needs a place for its keys: there is none here */
		subrosa_machine_answer_error(adapter->machine, subrosa_output_get_request_id(outputs), SUBROSA_REQUEST_ERROR_UNREACHABLE, NULL);
		break;
	}
	/* Liblinphone has its own memory of messages. What an earlier run left undone has no message here any more. */
	if (subrosa_output_is_owed(outputs)) subrosa_machine_done(adapter->machine, subrosa_output_get_id(outputs), NULL);
}

void commit(subrosa_linphone *adapter) {
	if (adapter->committing) return; /* from inside an engine: the next turn does it */
	subrosa_error *error = NULL;
	subrosa_outputs *outputs = NULL;
	adapter->committing = true;
	int failed = subrosa_machine_commit(adapter->machine, now_ms(), &outputs, &error);
	adapter->committing = false;
	if (failed) return log_error("the machine did not commit", error);
	for (int output; (output = subrosa_outputs_next(outputs)) != SUBROSA_OUTPUT_NONE;) obey(adapter, output, outputs);
	subrosa_outputs_free(outputs);
}

/* Bodies */

static int kind_of(const char *type) {
	if (!strncmp(type, "application/im-iscomposing+xml", 30)) return SUBROSA_KIND_TYPING;
	if (!strncmp(type, "message/imdn+xml", 16)) return SUBROSA_KIND_RECEIPT;
	if (!strncmp(type, OFFER_TYPE, strlen(OFFER_TYPE))) return SUBROSA_KIND_FILE_OFFER;
	return SUBROSA_KIND_TEXT; /* whatever is wrapped too: an envelope, several parts, what an engine has encrypted */
}

static void put(LinphoneChatMessage *message, const char *type, const char *body) {
	linphone_chat_message_set_utf8_text(message, body);
	linphone_chat_message_set_content_type(message, type);
}

/* False: it can't be put into a message. An empty body, or one that NUL makes empty, is replaced by Liblinphone with the text in clear. */
static bool put_encrypted(LinphoneChatMessage *message, const struct job *job) {
	if (!job->size) return false;
	if (!memchr(job->body, 0, job->size)) {
		put(message, job->type, (char *)job->body);
		return true;
	}
	size_t length = 0;
	bctbx_base64_encode(NULL, &length, job->body, job->size);
	char *text = calloc(1, length + 1), *type = malloc(strlen(job->type) + sizeof NUL_SUFFIX);
	bctbx_base64_encode((unsigned char *)text, &length, job->body, job->size);
	sprintf(type, "%s" NUL_SUFFIX, job->type);
	put(message, type, text);
	free(text), free(type);
	return true;
}

static bool put_decrypted(LinphoneChatMessage *message, const struct job *job) {
	if (memchr(job->body, 0, job->size)) return false; /* it would be shown cut off */
	char *offer = kind_of(job->type) == SUBROSA_KIND_FILE_OFFER ? offer_from_wire((char *)job->body) : NULL;
	put(message, job->type, offer ? offer : (char *)job->body);
	free(offer);
	return true;
}

/* The callbacks */

/* Liblinphone keeps what is in its table, and makes 400 of everything else. A 401 lets the sender look for a password and wait. */
static int code_for(int status) {
	static const int kept[] = { 301, 400, 403, 404, 410, 415, 480, 481, 484, 486, 488, 489, 501, 502, 503, 504, 600, 603 };
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
		if (kept[i] == status) return status;
	}
	if (status == 401 || status == 407) return 403;
	if (status == 408) return 480;
	if (status >= 600) return 603;
	if (status >= 500) return 503; /* of which a proxy makes 500 (RFC 3261 §16.7) */
	return status >= 400 ? 400 : 488;
}

static int answer_outgoing(subrosa_linphone *adapter, struct job *job) {
	int code = job->status;
	if (job->state == DONE) code = job->clear ? -1 : put_encrypted(job->message, job) ? 0 : 500;
	if (job->state == NOTHING) code = 500;
	job_end(adapter, job);
	return code;
}

static int outgoing(LinphoneImEncryptionEngine *engine, LinphoneChatRoom *room, LinphoneChatMessage *message) {
	subrosa_linphone *adapter = linphone_im_encryption_engine_get_user_data(engine);
	struct job *job = job_of(adapter, message, OUTGOING);
	if (job && job->state == OPEN) return 1; /* sent again while it waits */
	if (job) return answer_outgoing(adapter, job);
	int refusal = files_refusal(adapter, message);
	if (refusal) return refusal;

	const char *type = linphone_chat_message_get_content_type(message), *text = linphone_chat_message_get_utf8_text(message);
	int kind = kind_of(type ? type : "text/plain");
	char *offer = kind == SUBROSA_KIND_FILE_OFFER ? offer_to_wire(text) : NULL;
	const char *body = offer ? offer : text ? text : "";
	char *id = fresh_id(adapter), *chat = plain_address(linphone_chat_room_get_peer_address(room));
	subrosa_send send = { .size = sizeof send, .message_id = id, .chat = chat, .kind = kind, .content_type = type, .body = (const uint8_t *)body, .body_size = strlen(body) };
	subrosa_error *error = NULL;
	job = job_new(adapter, message, OUTGOING, id);
	adapter->inside++;
	if (subrosa_machine_send(adapter->machine, &send, &error)) log_error("a message was not taken", error), job_refuse(job, 500);
	else commit(adapter);
	adapter->inside--;
	free(offer), free(id), free(chat);
	if (job->state != OPEN) return answer_outgoing(adapter, job);
	job_later(job);
	return 1;
}

/* NULL: it is not wrapped. */
static uint8_t *unwrapped(const char *type, const char *body, size_t *size) {
	size_t length = strlen(type), suffix = strlen(NUL_SUFFIX);
	if (length <= suffix || strcmp(type + length - suffix, NUL_SUFFIX)) return NULL;
	bctbx_base64_decode(NULL, size, (const unsigned char *)body, strlen(body));
	uint8_t *bytes = calloc(1, *size + 1);
	if (bctbx_base64_decode(bytes, size, (const unsigned char *)body, strlen(body))) *size = 0;
	return bytes;
}

static int answer_incoming(subrosa_linphone *adapter, struct job *job) {
	int code = code_for(job->status);
	if (job->state == DONE) code = job->clear ? -1 : put_decrypted(job->message, job) ? 0 : 415;
	if (job->state == NOTHING) code = 1; /* accepted, and there is nothing to show: 200, and it never comes back */
	job_end(adapter, job);
	return code;
}

static int incoming(LinphoneImEncryptionEngine *engine, LinphoneChatRoom *room, LinphoneChatMessage *message) {
	subrosa_linphone *adapter = linphone_im_encryption_engine_get_user_data(engine);
	if (job_of(adapter, message, INCOMING)) return 1;
	const char *given = linphone_chat_message_get_content_type(message), *text = linphone_chat_message_get_utf8_text(message);
	const char *body = text ? text : "";
	char *type = strdup(given ? given : "text/plain"), *chat = plain_address(linphone_chat_room_get_peer_address(room));
	char *from = plain_address(linphone_chat_message_get_from_address(message));
	char *id = fresh_id(adapter); /* not the sender's: two senders may choose the same, and one would be shown what the other wrote */
	size_t size = strlen(body);
	uint8_t *bytes = unwrapped(type, body, &size);
	if (bytes) type[strlen(type) - strlen(NUL_SUFFIX)] = 0;
	subrosa_receive receive = { .size = sizeof receive, .message_id = id, .chat = chat, .from = from, .sent = (uint64_t)linphone_chat_message_get_time(message) * 1000,
		.kind = kind_of(type), .content_type = type, .body = bytes ? bytes : (const uint8_t *)body, .body_size = size, .answer_by = now_ms() + HOLD_MS };
	subrosa_error *error = NULL;
	struct job *job = job_new(adapter, message, INCOMING, id);
	adapter->inside++;
	if (subrosa_machine_receive(adapter->machine, &receive, &error)) log_error("a message was not taken", error), job_refuse(job, 400);
	else commit(adapter);
	adapter->inside--;
	free(type), free(chat), free(from), free(id), free(bytes);
	if (job->state != OPEN) return answer_incoming(adapter, job);
	job_later(job);
	return 1;
}

/* What had to wait */

static void finish_outgoing(subrosa_linphone *adapter, struct job *job) {
	LinphoneChatMessage *message = linphone_chat_message_ref(job->message);
	/* The core asks once more, and gets the answer. Should it not ask, then what leaves is this, and not the text. */
	if (job->state != DONE) put(message, UNREADABLE_TYPE, "-");
	linphone_chat_message_send(message);
	if (job_of(adapter, message, OUTGOING) == job) job_end(adapter, job); /* it did not ask */
	linphone_chat_message_unref(message);
}

static void finish_incoming(subrosa_linphone *adapter, struct job *job) {
	LinphoneChatMessage *message = linphone_chat_message_ref(job->message);
	bool nothing = job->state == NOTHING, shown = job->state == DONE && (job->clear || put_decrypted(message, job));
	job_end(adapter, job);
	/* It was answered 200 when it had to wait. What can't be shown is told by a receipt now: the core makes one for a type that it
	 * does not support. */
	if (!shown && !nothing) put(message, UNREADABLE_TYPE, "-");
	if (!nothing) linphone_chat_room_receive_chat_message(linphone_chat_message_get_chat_room(message), message);
	linphone_chat_message_unref(message);
}

static void tell(subrosa_linphone *adapter, struct job *job) {
	const char *sentence = job->sentence ? job->sentence : "the engine refused it";
	if (job->came && adapter->cbs.not_received) adapter->cbs.not_received(adapter->user_data, job->message, job->status, sentence);
	if (!job->came && adapter->cbs.not_sent) {
		adapter->cbs.not_sent(adapter->user_data, job->message, job->status, sentence, job->question);
		job->question = NULL;
	}
	job_free(adapter, job);
}

static bool_t turn(void *data) {
	subrosa_linphone *adapter = data;
	if (adapter->inside) return TRUE; /* an engine iterates the core */
	adapter->inside++;
	/* Whoever switches LIME off or on takes the engine out of the core, which says nothing and sends in clear from then on. */
	if (linphone_core_lime_x3dh_enabled(adapter->core)) linphone_core_enable_lime_x3dh(adapter->core, FALSE);
	linphone_core_set_im_encryption_engine(adapter->core, adapter->engine);

	uint64_t wake = subrosa_machine_wake_at(adapter->machine);
	if (wake && wake <= now_ms()) subrosa_machine_tick(adapter->machine, NULL);
	if (subrosa_machine_get_waiting(adapter->machine)) commit(adapter);
	for (struct job *job = adapter->jobs; job;) {
		if (!job->later || job->state == OPEN) {
			job = job->next;
			continue;
		}
		if (job->way == TOLD) tell(adapter, job);
		else if (job->way == OUTGOING) finish_outgoing(adapter, job);
		else finish_incoming(adapter, job);
		job = adapter->jobs; /* what was called may have changed them */
	}
	files_sweep(adapter);
	adapter->inside--;
	return TRUE;
}

/* Coming and going */

static void set_engine(LinphoneCore *core, LinphoneImEncryptionEngine *engine) {
	/* Never NULL: the core would keep its half of the engine, and fall over it at the next file. Never before LIME is off: that takes
	 * any engine away. */
	linphone_core_enable_lime_x3dh(core, FALSE);
	linphone_core_set_im_encryption_engine(core, engine);
}

subrosa_linphone *subrosa_linphone_attach(LinphoneCore *core, subrosa_machine *machine, const subrosa_linphone_cbs *cbs, void *user_data) {
	static const char *const all[] = { "text/", "message/", "application/", "image/", "audio/", "video/", "multipart/" };
	if (!core || !machine || subrosa_machine_set_shown(machine, all, sizeof all / sizeof *all, NULL)) return NULL;
	subrosa_linphone *adapter = calloc(1, sizeof *adapter);
	adapter->core = linphone_core_ref(core), adapter->machine = subrosa_machine_ref(machine), adapter->user_data = user_data;
	if (cbs) adapter->cbs = *cbs;
	adapter->run = now_ms();
	adapter->engine = linphone_im_encryption_engine_new();
	linphone_im_encryption_engine_set_user_data(adapter->engine, adapter);
	LinphoneImEncryptionEngineCbs *callbacks = linphone_im_encryption_engine_get_callbacks(adapter->engine);
	linphone_im_encryption_engine_cbs_set_process_outgoing_message(callbacks, outgoing);
	linphone_im_encryption_engine_cbs_set_process_incoming_message(callbacks, incoming);
	files_set(callbacks);
	commit(adapter); /* what an earlier run left */
	set_engine(core, adapter->engine);
	linphone_core_add_iterate_hook(core, turn, adapter);
	return adapter;
}

/* What stays in a core that has no engine any more: nothing but typing notices and receipts. */

static int refuse(LinphoneImEncryptionEngine *engine, LinphoneChatRoom *room, LinphoneChatMessage *message) {
	(void)engine, (void)room;
	const char *type = linphone_chat_message_get_content_type(message);
	int kind = kind_of(type ? type : "text/plain");
	return kind == SUBROSA_KIND_TYPING || kind == SUBROSA_KIND_RECEIPT ? -1 : 488;
}

static int refuse_upload(LinphoneImEncryptionEngine *engine, LinphoneChatMessage *message, size_t offset, const uint8_t *in, size_t *size, uint8_t *out) {
	(void)engine, (void)message, (void)offset, (void)in;
	if (size && out) memset(out, 0, *size);
	return 0;
}

static int refuse_download(LinphoneImEncryptionEngine *engine, LinphoneChatMessage *message, size_t offset, const uint8_t *in, size_t size, uint8_t *out) {
	(void)engine, (void)message, (void)offset, (void)in, (void)size, (void)out;
	return 488;
}

int subrosa_linphone_detach(subrosa_linphone *adapter) {
	if (!adapter) return 0;
	if (adapter->inside || adapter->committing) return -1;
	linphone_core_remove_iterate_hook(adapter->core, turn, adapter);
	LinphoneImEncryptionEngine *inert = linphone_im_encryption_engine_new();
	LinphoneImEncryptionEngineCbs *callbacks = linphone_im_encryption_engine_get_callbacks(inert);
	linphone_im_encryption_engine_cbs_set_process_outgoing_message(callbacks, refuse);
	linphone_im_encryption_engine_cbs_set_process_incoming_message(callbacks, refuse);
	linphone_im_encryption_engine_cbs_set_process_uploading_file(callbacks, refuse_upload);
	linphone_im_encryption_engine_cbs_set_process_downloading_file(callbacks, refuse_download);
	set_engine(adapter->core, inert);
	linphone_im_encryption_engine_unref(inert);
	while (adapter->jobs) job_free(adapter, adapter->jobs);
	files_forget(adapter);
	linphone_im_encryption_engine_unref(adapter->engine);
	subrosa_machine_unref(adapter->machine);
	linphone_core_unref(adapter->core);
	free(adapter);
	return 0;
}
