/* Files: Liblinphone's four callbacks over the cipher of one file.
 *
 * Owns the transfers. A callback that refuses makes Liblinphone leave an upload hanging or, of a file in memory, send all of it in clear:
 * so none does. What failed goes on as zeros, is cancelled in the next turn, and its message does not leave. A download that failed
 * ends as it should, but for the file on the disk: that is removed. */
#include "private.h"

#include <bctoolbox/crypto.h>
#include <linphone/im_encryption_engine.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAG = 16 };
static const char TWO_FILES[] = "Liblinphone can't tell two files of one message apart: send each in a message of its own";

/* The callbacks say of which message a file is, and not which of its files: of two in one message each could get the other's key. */
static bool is_alone(LinphoneChatMessage *message) {
	int files = 0;
	for (const bctbx_list_t *at = linphone_chat_message_get_contents(message); at; at = bctbx_list_next(at)) {
		LinphoneContent *content = bctbx_list_get_data(at);
		files += linphone_content_is_file(content) || linphone_content_is_file_transfer(content);
	}
	return files <= 1;
}

/* Keys as Liblinphone keeps them: the engine's key, its tag or nothing, and how long that is. */

static void keep_key(LinphoneContent *content, const subrosa_content *file) {
	if (!content) return; /* a message that lost its file */
	size_t key_size = subrosa_content_get_key_size(file), tag_size = 0;
	const uint8_t *key = subrosa_content_get_key(file), *tag = subrosa_content_get_tag(file, &tag_size);
	uint8_t *kept = malloc(key_size + tag_size + 1);
	memcpy(kept, key, key_size);
	if (tag_size) memcpy(kept + key_size, tag, tag_size);
	kept[key_size + tag_size] = (uint8_t)tag_size;
	linphone_content_set_key(content, (char *)kept, key_size + tag_size + 1);
	bctbx_clean(kept, key_size + tag_size + 1);
	free(kept);
}

/* The length of the engine's key in it; 0: it is none of ours. */
static size_t key_in(const uint8_t *kept, size_t size) {
	size_t tag_size = size ? kept[size - 1] : 0;
	return (tag_size == 0 || tag_size == TAG) && size > tag_size + 1 ? size - tag_size - 1 : 0;
}

/* Transfers */

static struct transfer *transfer_of(subrosa_linphone *adapter, LinphoneChatMessage *message, bool up) {
	struct transfer *transfer = adapter->transfers;
	while (transfer && (transfer->message != message || transfer->up != up)) transfer = transfer->next;
	return transfer;
}

static struct transfer *transfer_new(subrosa_linphone *adapter, LinphoneChatMessage *message, bool up) {
	struct transfer *transfer = calloc(1, sizeof *transfer);
	transfer->message = linphone_chat_message_ref(message), transfer->up = up, transfer->next = adapter->transfers;
	return adapter->transfers = transfer;
}

static void transfer_free(subrosa_linphone *adapter, struct transfer *transfer) {
	struct transfer **at = &adapter->transfers;
	while (*at && *at != transfer) at = &(*at)->next;
	if (*at) *at = transfer->next;
	subrosa_cipher_free(transfer->cipher);
	subrosa_content_unref(transfer->file);
	linphone_chat_message_unref(transfer->message);
	free(transfer);
}

static int fail(struct transfer *transfer, int status) {
	if (!transfer->failed) transfer->failed = status >= 300 && status <= 699 ? status : 500;
	return transfer->failed;
}

static int fail_for(struct transfer *transfer, const char *what, subrosa_error *error) {
	int status = subrosa_error_get_status(error);
	log_error(what, error);
	return fail(transfer, status);
}

/* The final call of the engine. Gives how many bytes it still had; there has to be room for them. */
static size_t finish(struct transfer *transfer, uint8_t *out, size_t room) {
	const uint8_t *rest;
	size_t size;
	subrosa_error *error = NULL;
	transfer->ended = true;
	if (subrosa_cipher_finish(transfer->cipher, transfer->up ? transfer->file : NULL, &rest, &size, &error)) fail_for(transfer, "a file was refused at its end", error);
	else if (size > room) fail(transfer, 500);
	else if (size) memcpy(out, rest, size);
	return transfer->failed ? 0 : size;
}

/* Runs the cipher over what Liblinphone offers, and ends it with the last byte: Liblinphone's own final call has no room for what an
 * engine kept until then. Gives how many bytes were taken; what came out has to be as many. */
static size_t run(struct transfer *transfer, const uint8_t *in, size_t size, uint8_t *out) {
	size_t done = 0, made = 0, taken = 1;
	while (done < size && taken) {
		const uint8_t *piece;
		size_t length;
		subrosa_error *error = NULL;
		if (subrosa_cipher_chunk(transfer->cipher, in + done, size - done, &taken, &piece, &length, &error)) {
			fail_for(transfer, "a file was refused", error);
			return 0;
		}
		if (length > size - made) break;
		if (length) memcpy(out + made, piece, length);
		done += taken, made += length;
	}
	transfer->offset += done;
	if (transfer->offset == subrosa_content_get_file_size(transfer->file)) made += finish(transfer, out + made, size - made);
	if (!transfer->failed && made != done) {
		bctbx_error("subrosa: this engine changes the length of files, for which Liblinphone has no room");
		fail(transfer, 500);
	}
	return transfer->failed ? 0 : done;
}

/* Uploads */

/* Of a file that has a path the core finds it out only after it has asked for the key. */
static size_t size_of(LinphoneContent *content) {
	const char *path = linphone_content_get_file_path(content);
	struct stat found;
	return path && !stat(path, &found) ? (size_t)found.st_size : linphone_content_get_file_size(content);
}

static void begin_upload(subrosa_linphone *adapter, struct transfer *transfer) {
	LinphoneContent *content = linphone_chat_message_get_file_transfer_information(transfer->message);
	char *id = fresh_id(adapter), *chat = plain_address(linphone_chat_message_get_peer_address(transfer->message));
	const char *path = content ? linphone_content_get_file_path(content) : NULL, *slash = path ? strrchr(path, '/') : NULL;
	subrosa_cipher_free(transfer->cipher), subrosa_content_unref(transfer->file);
	transfer->cipher = NULL, transfer->file = NULL, transfer->offset = 0, transfer->ended = false;
	subrosa_error *error = NULL;
	subrosa_content *offered = subrosa_content_new(slash ? slash + 1 : path ? path : "", "application/octet-stream", content ? size_of(content) : 0, NULL);
	struct job *job = job_new(adapter, transfer->message, UPLOAD, id);
	adapter->inside++;
	if (subrosa_machine_offer_file(adapter->machine, id, chat, offered, &error)) fail_for(transfer, "a file was not taken", error);
	else commit(adapter);
	adapter->inside--;
	if (job->state == DONE) {
		transfer->cipher = job->cipher, transfer->file = job->file, transfer->clear = job->clear;
		job->cipher = NULL, job->file = NULL;
		if (!transfer->clear && !transfer->cipher) fail(transfer, 500);
		else if (!transfer->clear) keep_key(content, transfer->file);
	} else fail(transfer, job->state == REFUSED ? job->status : 480); /* there is no way to wait for a key */
	transfer->told = job->state == REFUSED;
	subrosa_content_unref(offered);
	free(id), free(chat);
	job_end(adapter, job);
}

static bool_t always(LinphoneImEncryptionEngine *engine, LinphoneChatRoom *room) {
	(void)engine, (void)room;
	return TRUE; /* whether is known when the file is */
}

static void make_key(LinphoneImEncryptionEngine *engine, LinphoneChatRoom *room, LinphoneChatMessage *message) {
	(void)room;
	subrosa_linphone *adapter = linphone_im_encryption_engine_get_user_data(engine);
	struct transfer *before = transfer_of(adapter, message, true);
	if (before) transfer_free(adapter, before); /* sent again */
	struct transfer *transfer = transfer_new(adapter, message, true);
	if (is_alone(message)) begin_upload(adapter, transfer);
	else fail(transfer, 415), transfer->why = TWO_FILES;
}

/* What stands for a file that is not to leave. Its length is the file's, so that the server has nothing to wait for. */
static int zeros(const size_t *size, uint8_t *out) {
	if (size && out) memset(out, 0, *size);
	return 0;
}

static int upload(LinphoneImEncryptionEngine *engine, LinphoneChatMessage *message, size_t offset, const uint8_t *in, size_t *size, uint8_t *out) {
	subrosa_linphone *adapter = linphone_im_encryption_engine_get_user_data(engine);
	struct transfer *transfer = transfer_of(adapter, message, true);
	if (!transfer) fail(transfer = transfer_new(adapter, message, true), 488); /* begun before this engine was set */
	if (transfer->failed) return zeros(size, out);
	if (transfer->clear) return -1;
	LinphoneContent *content = linphone_chat_message_get_file_transfer_information(message);
	if (!in || !size) {
		if (!transfer->ended) finish(transfer, NULL, 0);
		if (!transfer->failed) keep_key(content, transfer->file); /* now with its tag */
		return 0;
	}
	if (!offset && transfer->offset) begin_upload(adapter, transfer); /* the server wanted it again: never twice with one key */
	if (!transfer->failed && offset != transfer->offset) fail(transfer, 500);
	size_t taken = transfer->failed ? 0 : run(transfer, in, *size, out);
	/* Nothing taken would end the upload as if it were whole. Of a file in memory there is only this one call. */
	bool whole = linphone_content_get_file_size(content) == *size && !offset;
	if (!transfer->failed && (!taken || (whole && taken < *size))) fail(transfer, 500);
	if (transfer->failed) return zeros(size, out);
	*size = taken;
	return 0;
}

int files_refusal(subrosa_linphone *adapter, LinphoneChatMessage *message) {
	struct transfer *transfer = transfer_of(adapter, message, true);
	if (!transfer) return 0;
	int refusal = transfer->failed ? transfer->failed : transfer->ended || transfer->clear ? 0 : 500;
	if (refusal) fail(transfer, refusal);
	else transfer_free(adapter, transfer);
	return refusal;
}

/* Downloads */

static int begin_download(subrosa_linphone *adapter, struct transfer *transfer, LinphoneContent *content) {
	const uint8_t *kept = (const uint8_t *)linphone_content_get_key(content);
	size_t size = kept ? linphone_content_get_key_size(content) : 0, key_size = key_in(kept, size);
	const char *name = linphone_content_get_name(content);
	transfer->offset = 0, transfer->ended = false, transfer->failed = 0, transfer->swept = false;
	subrosa_cipher_free(transfer->cipher), subrosa_content_unref(transfer->file);
	transfer->cipher = NULL;
	transfer->file = subrosa_content_new(name ? name : "", "application/octet-stream", linphone_content_get_file_size(content), NULL);
	transfer->clear = !size && !linphone_chat_message_is_secured(transfer->message);
	if (transfer->clear) return 0; /* its offer came in clear, as a person chose */
	if (!key_size) return fail(transfer, 488);
	subrosa_content_set_key(transfer->file, kept, key_size);
	subrosa_content_set_tag(transfer->file, kept + key_size, size - key_size - 1);
	char *chat = plain_address(linphone_chat_message_get_peer_address(transfer->message));
	subrosa_error *error = NULL;
	transfer->cipher = subrosa_machine_download(adapter->machine, chat, transfer->file, &error);
	free(chat);
	return transfer->cipher ? 0 : fail_for(transfer, "a file can't be decrypted", error);
}

static int download(LinphoneImEncryptionEngine *engine, LinphoneChatMessage *message, size_t offset, const uint8_t *in, size_t size, uint8_t *out) {
	subrosa_linphone *adapter = linphone_im_encryption_engine_get_user_data(engine);
	struct transfer *transfer = transfer_of(adapter, message, false);
	LinphoneContent *content = linphone_chat_message_get_file_transfer_information(message);
	bool last = !in || !size;
	if (!transfer) transfer = transfer_new(adapter, message, false);
	if (!content) return fail(transfer, 500);
	if (!is_alone(message)) return transfer->why = TWO_FILES, fail(transfer, 415);
	if (!transfer->file || (!last && !offset)) begin_download(adapter, transfer, content);
	if (!transfer->failed && !last && offset != transfer->offset) fail(transfer, 500);
	if (transfer->failed) {
		transfer->ended = last; /* it goes on calling */
		return transfer->failed;
	}
	if (transfer->clear) {
		transfer->offset += size, transfer->ended = last;
		return -1;
	}
	if (last && !transfer->ended) finish(transfer, NULL, 0);
	else if (!last && transfer->ended) fail(transfer, 400); /* more than the offer said */
	else if (!last && run(transfer, in, size, out) != size) fail(transfer, 500);
	return transfer->failed;
}

/* In a turn of the core, when none of its callbacks is running */

static void sweep(subrosa_linphone *adapter, struct transfer *transfer) {
	LinphoneContent *content = linphone_chat_message_get_file_transfer_information(transfer->message);
	const char *path = content ? linphone_content_get_file_path(content) : NULL;
	transfer->swept = true;
	linphone_chat_message_cancel_file_transfer(transfer->message); /* an upload is NotDelivered then, if it was still running */
	if (!transfer->up && path && *path) unlink(path);
	if (transfer->told) return;
	struct job *told = job_new(adapter, transfer->message, transfer->up ? OUTGOING : INCOMING, "");
	job_refuse(told, transfer->failed);
	told->sentence = transfer->why ? strdup(transfer->why) : NULL;
	job_end(adapter, told);
}

static bool is_over(const struct transfer *transfer) {
	LinphoneChatMessageState state = linphone_chat_message_get_state(transfer->message);
	if (state == LinphoneChatMessageStateFileTransferInProgress) return false;
	/* A failed download is called for some time yet. The message of an upload has still to ask. */
	if (!transfer->up) return !transfer->failed || transfer->ended;
	return state == LinphoneChatMessageStateNotDelivered || state == LinphoneChatMessageStateFileTransferError;
}

void files_sweep(subrosa_linphone *adapter) {
	for (struct transfer *transfer = adapter->transfers, *next; transfer; transfer = next) {
		next = transfer->next;
		if (transfer->failed && !transfer->swept) sweep(adapter, transfer);
		else if (is_over(transfer)) transfer_free(adapter, transfer);
	}
}

void files_forget(subrosa_linphone *adapter) {
	while (adapter->transfers) transfer_free(adapter, adapter->transfers);
}

/* The XML of an offer */

struct element {
	const char *start, *text, *end;
	size_t length;
	uint8_t *bytes;
	size_t size;
};

static bool find(const char *xml, const char *name, struct element *found) {
	char open[32], close[32];
	snprintf(open, sizeof open, "<%s>", name), snprintf(close, sizeof close, "</%s>", name);
	*found = (struct element){ .start = strstr(xml, open) };
	const char *close_at = found->start ? strstr(found->start, close) : NULL;
	if (!close_at) return false;
	found->text = found->start + strlen(open), found->length = (size_t)(close_at - found->text), found->end = close_at + strlen(close);
	bctbx_base64_decode(NULL, &found->size, (const unsigned char *)found->text, found->length);
	found->bytes = calloc(1, found->size + 1);
	if (bctbx_base64_decode(found->bytes, &found->size, (const unsigned char *)found->text, found->length) == 0) return true;
	free(found->bytes), found->bytes = NULL;
	return false;
}

static char *base64(const uint8_t *bytes, size_t size) {
	size_t length = 0;
	bctbx_base64_encode(NULL, &length, bytes, size);
	char *text = calloc(1, length + 1);
	bctbx_base64_encode((unsigned char *)text, &length, bytes, size);
	return text;
}

char *offer_to_wire(const char *xml) {
	struct element key;
	if (!xml || !find(xml, "file-key", &key)) return NULL;
	size_t key_size = key_in(key.bytes, key.size), tag_size = key_size ? key.bytes[key.size - 1] : 0;
	char *made = NULL;
	if (key_size) {
		char *key_text = base64(key.bytes, key_size), *tag_text = base64(key.bytes + key_size, tag_size);
		size_t size = strlen(xml) + strlen(key_text) + strlen(tag_text) + 128;
		made = malloc(size);
		snprintf(made, size, "%.*s<file-key>%s</file-key>%s%s%s%s", (int)(key.start - xml), xml, key_text, tag_size ? "<file-authTag>" : "", tag_size ? tag_text : "",
			tag_size ? "</file-authTag>" : "", key.end);
		free(key_text), free(tag_text);
	}
	free(key.bytes);
	return made;
}

char *offer_from_wire(const char *xml) {
	struct element key, tag;
	if (!find(xml, "file-key", &key)) return NULL;
	bool has_tag = find(xml, "file-authTag", &tag), tagged = has_tag && tag.size == TAG;
	uint8_t *kept = malloc(key.size + TAG + 1);
	memcpy(kept, key.bytes, key.size);
	if (tagged) memcpy(kept + key.size, tag.bytes, TAG);
	size_t size = key.size + (tagged ? TAG : 0);
	kept[size] = tagged ? TAG : 0;
	/* A tag that stays is read over by the core: only what is in the key counts. */
	char *text = base64(kept, size + 1);
	size_t length = strlen(xml) + strlen(text) + 1;
	char *made = malloc(length);
	snprintf(made, length, "%.*s%s%s", (int)(key.text - xml), xml, text, key.text + key.length);
	free(text), free(kept), free(key.bytes), free(tag.bytes);
	return made;
}

void files_set(LinphoneImEncryptionEngineCbs *cbs) {
	linphone_im_encryption_engine_cbs_set_is_encryption_enabled_for_file_transfer(cbs, always);
	linphone_im_encryption_engine_cbs_set_generate_file_transfer_key(cbs, make_key);
	linphone_im_encryption_engine_cbs_set_process_uploading_file(cbs, upload);
	linphone_im_encryption_engine_cbs_set_process_downloading_file(cbs, download);
}
