/* One real liblinphone core as a process: commands are lines on its standard input, events are lines of JSON on its
 * standard output. It ends when its input does.
 *
 *   phone NAME TRANSPORT DIR FILES
 *
 * is sip:NAME@sip.test on a free port of the loopback over TRANSPORT (udp or tcp), keeps what it keeps below DIR, and
 * gives files to the server at FILES (a URL).
 *
 *   route HOST:PORT            where everything is sent; before anything else
 *   engine WORDS               sets an engine (engines.c; with ADAPTER also those of adapter.c, and `off`)
 *   lime                       switches LIME off once more
 *   send WHO HEX               a text to sip:WHO@sip.test
 *   send-as WHO TYPE/SUB HEX   the same with another content type
 *   file WHO NAME PATH         a file; `memory WHO NAME PATH` the same from memory; `twice WHO NAME PATH` it two times in one message
 *   download NUMBER PATH       the file of a message that came
 *   typing WHO, read WHO       a typing notice; all messages from there are marked as read
 *   quit                       ends in good order, where closing the input ends it at once
 *
 * Messages are numbered from 1 in the order in which they were sent or came. What a core needs in order to work like this:
 * an account for each core, as rooms forget ports; LIME off before an engine is set, because switching it off later removes the
 * engine; a kind of core that sends receipts without a registrar.
 */
#include "phone.h"

#include <linphone/factory.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static LinphoneCore *core;
static const char *own_name, *transport, *home;
static LinphoneChatMessage *messages[4096];
static size_t count;
static FILE *logged;

void say(const char *format, ...) {
	va_list arguments;
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
}

char *hex(const void *bytes, size_t size) {
	char *digits = malloc(2 * size + 1);
	for (size_t i = 0; i < size; i++) sprintf(digits + 2 * i, "%02x", ((const uint8_t *)bytes)[i]);
	digits[2 * size] = 0;
	return digits;
}

uint8_t *unhex(const char *digits, size_t *size) {
	*size = strlen(digits) / 2;
	uint8_t *bytes = malloc(*size + 1);
	for (size_t i = 0; i < *size; i++) {
		if (sscanf(digits + 2 * i, "%2hhx", &bytes[i]) == 1) continue;
		free(bytes);
		return NULL;
	}
	bytes[*size] = 0;
	return bytes;
}

static void failed(const char *what) {
	say("{\"event\":\"failed\",\"what\":\"%s\"}", what);
}

static LinphoneAddress *address_of(const char *who) {
	char text[256];
	snprintf(text, sizeof text, "sip:%s@sip.test", who);
	return linphone_factory_create_address(linphone_factory_get(), text);
}

/* Owned by the core. */
static LinphoneChatRoom *room_with(const char *who) {
	LinphoneAddress *address = address_of(who);
	LinphoneChatRoom *room = linphone_core_search_chat_room(core, NULL, NULL, address, NULL);
	if (!room) {
		LinphoneChatRoomParams *params = linphone_core_create_default_chat_room_params(core);
		bctbx_list_t *others = bctbx_list_append(NULL, address);
		room = linphone_core_create_chat_room_6(core, params, NULL, others);
		bctbx_list_free(others);
		linphone_chat_room_params_unref(params);
	}
	linphone_address_unref(address);
	return room;
}

static size_t number_of(LinphoneChatMessage *message) {
	for (size_t i = 0; i < count; i++) {
		if (messages[i] == message) return i + 1;
	}
	return 0;
}

static void on_state(LinphoneChatMessage *message, LinphoneChatMessageState state) {
	const LinphoneErrorInfo *error = linphone_chat_message_get_error_info(message);
	const char *name = linphone_chat_message_state_to_string(state), *short_name = strstr(name, "State");
	say("{\"event\":\"state\",\"message\":%zu,\"state\":\"%s\",\"code\":%d,\"reason\":\"%s\"}", number_of(message), short_name ? short_name + strlen("State") : name,
		error ? linphone_error_info_get_protocol_code(error) : 0, error ? linphone_reason_to_string(linphone_error_info_get_reason(error)) : "");
}

static size_t keep(LinphoneChatMessage *message) {
	if (count == sizeof messages / sizeof *messages) {
		failed("more messages than it can number");
		exit(1);
	}
	LinphoneChatMessageCbs *cbs = linphone_factory_create_chat_message_cbs(linphone_factory_get());
	linphone_chat_message_cbs_set_msg_state_changed(cbs, on_state);
	linphone_chat_message_add_callbacks(message, cbs);
	linphone_chat_message_cbs_unref(cbs);
	messages[count++] = message;
	return count;
}

static LinphoneContent *offer_in(LinphoneChatMessage *message) {
	const bctbx_list_t *contents = linphone_chat_message_get_contents(message);
	for (; contents; contents = bctbx_list_next(contents)) {
		LinphoneContent *content = bctbx_list_get_data(contents);
		if (linphone_content_is_file_transfer(content)) return content;
	}
	return NULL;
}

static void on_message(LinphoneCore *lc, LinphoneChatRoom *room, LinphoneChatMessage *message) {
	(void)lc, (void)room;
	size_t number = keep(linphone_chat_message_ref(message));
	const char *from = linphone_address_get_username(linphone_chat_message_get_from_address(message));
	bool secured = linphone_chat_message_is_secured(message);
	LinphoneContent *offer = offer_in(message);
	if (offer) {
		const char *name = linphone_content_get_name(offer);
		char *name_hex = hex(name ? name : "", strlen(name ? name : ""));
		say("{\"event\":\"offer\",\"message\":%zu,\"from\":\"%s\",\"name\":\"%s\",\"type\":\"%s/%s\",\"size\":%zu,\"key\":%zu,\"secured\":%s}", number, from, name_hex,
			linphone_content_get_type(offer), linphone_content_get_subtype(offer), linphone_content_get_file_size(offer), linphone_content_get_key_size(offer), secured ? "true" : "false");
		free(name_hex);
		return;
	}
	const char *text = linphone_chat_message_get_utf8_text(message), *type = linphone_chat_message_get_content_type(message);
	char *text_hex = hex(text ? text : "", strlen(text ? text : ""));
	say("{\"event\":\"message\",\"message\":%zu,\"from\":\"%s\",\"type\":\"%s\",\"text\":\"%s\",\"secured\":%s}", number, from, type ? type : "", text_hex, secured ? "true" : "false");
	free(text_hex);
}

static void on_undecryptable(LinphoneCore *lc, LinphoneChatRoom *room, LinphoneChatMessage *message) {
	(void)lc, (void)room;
	const char *type = linphone_chat_message_get_content_type(message);
	say("{\"event\":\"undecryptable\",\"type\":\"%s\"}", type ? type : "");
}

static void on_composing(LinphoneCore *lc, LinphoneChatRoom *room) {
	(void)lc;
	say("{\"event\":\"composing\",\"active\":%s}", linphone_chat_room_is_remote_composing(room) ? "true" : "false");
}

static void on_log(LinphoneLoggingService *service, const char *domain, LinphoneLogLevel level, const char *text) {
	(void)service, (void)level;
	fprintf(logged, "%s %s\n", domain, text);
}

static void start(const char *files) {
	LinphoneFactory *factory = linphone_factory_get();
	char path[4096], settings[4096];
	setenv("HOME", home, 1);
	linphone_factory_set_data_dir(factory, home);
	linphone_factory_set_config_dir(factory, home);
	linphone_factory_set_download_dir(factory, home);

	snprintf(path, sizeof path, "%s%s.log", home, own_name);
	logged = fopen(path, "w");
	LinphoneLoggingService *logging = linphone_logging_service_get();
	linphone_logging_service_set_log_level(logging, LinphoneLogLevelMessage);
	LinphoneLoggingServiceCbs *log_cbs = linphone_factory_create_logging_service_cbs(factory);
	linphone_logging_service_cbs_set_log_message_written(log_cbs, on_log);
	linphone_logging_service_add_callbacks(logging, log_cbs);
	linphone_logging_service_cbs_unref(log_cbs);

	snprintf(settings, sizeof settings,
		"[sip]\nsip_port=%d\nsip_tcp_port=%d\nsip_tls_port=0\nbind_address=127.0.0.1\nuse_ipv6=0\nguess_hostname=0\n"
		"contact=\"%s\" <sip:%s@127.0.0.1>\nauto_net_state_mon=0\nregister_only_when_network_is_up=0\n"
		"[storage]\nbackend=sqlite3\nuri=%s%s.db\ncall_logs_db_uri=null\n[misc]\nuuid=\n",
		strcmp(transport, "udp") ? 0 : -1, strcmp(transport, "tcp") ? 0 : -1, own_name, own_name, home, own_name);
	LinphoneConfig *config = linphone_config_new_from_buffer(settings);
	/* An "executor core": the only kind that sends receipts though no registrar knows it. */
	core = linphone_factory_create_shared_core_with_config(factory, config, NULL, "phone", FALSE);
	linphone_config_unref(config);
	linphone_core_enable_lime_x3dh(core, FALSE);

	LinphoneCoreCbs *cbs = linphone_factory_create_core_cbs(factory);
	linphone_core_cbs_set_message_received(cbs, on_message);
	linphone_core_cbs_set_message_received_unable_decrypt(cbs, on_undecryptable);
	linphone_core_cbs_set_is_composing_received(cbs, on_composing);
	linphone_core_add_callbacks(core, cbs);
	linphone_core_cbs_unref(cbs);
	linphone_core_set_file_transfer_server(core, files);
	if (linphone_core_start(core) != 0) {
		failed("the core does not start");
		exit(1);
	}
	linphone_core_set_network_reachable(core, TRUE);
	LinphoneTransports *used = linphone_core_get_transports_used(core);
	say("{\"event\":\"ready\",\"port\":%d,\"version\":\"%s\"}", strcmp(transport, "udp") ? linphone_transports_get_tcp_port(used) : linphone_transports_get_udp_port(used), linphone_core_get_version());
	linphone_transports_unref(used);
}

static void route(const char *target) {
	char text[512];
	snprintf(text, sizeof text, "<sip:%s;transport=%s>", target, transport);
	LinphoneAddress *own = address_of(own_name), *server = linphone_factory_create_address(linphone_factory_get(), text);
	linphone_core_clear_accounts(core); /* the first of the same identity would be taken */
	LinphoneAccountParams *params = linphone_core_create_account_params(core);
	linphone_account_params_set_identity_address(params, own);
	linphone_account_params_set_server_address(params, server);
	linphone_account_params_set_outbound_proxy_enabled(params, TRUE);
	linphone_account_params_set_register_enabled(params, FALSE);
	LinphoneAccount *account = linphone_core_create_account(core, params);
	linphone_core_add_account(core, account);
	linphone_core_set_default_account(core, account);
	linphone_account_unref(account);
	linphone_account_params_unref(params);
	linphone_address_unref(server);
	linphone_address_unref(own);
	say("{\"event\":\"done\"}");
}

static void send_text(const char *who, const char *type, const char *digits) {
	size_t size;
	uint8_t *text = unhex(digits, &size);
	if (!text) return failed("the text is not in hex digits");
	LinphoneChatMessage *message = linphone_chat_room_create_message_from_utf8(room_with(who), (char *)text);
	if (type) linphone_chat_message_set_content_type(message, type);
	free(text);
	say("{\"event\":\"sending\",\"message\":%zu}", keep(message));
	linphone_chat_message_send(message);
}

static void send_file(const char *who, const char *name, const char *path, bool from_memory, bool twice) {
	LinphoneContent *content = linphone_core_create_content(core);
	linphone_content_set_type(content, "image");
	linphone_content_set_subtype(content, "jpeg");
	linphone_content_set_name(content, name);
	FILE *file = fopen(path, "rb");
	if (!file) return failed("the file can't be read");
	fseek(file, 0, SEEK_END);
	size_t size = (size_t)ftell(file);
	rewind(file);
	uint8_t *bytes = malloc(size + 1);
	size = fread(bytes, 1, size, file);
	fclose(file);
	if (from_memory) linphone_content_set_buffer(content, bytes, size);
	else linphone_content_set_file_path(content, path);
	free(bytes);
	LinphoneChatMessage *message = linphone_chat_room_create_file_transfer_message(room_with(who), content);
	if (twice) linphone_chat_message_add_file_content(message, content);
	linphone_content_unref(content);
	say("{\"event\":\"sending\",\"message\":%zu}", keep(message));
	linphone_chat_message_send(message);
}

static void download(size_t number, const char *path) {
	LinphoneChatMessage *message = number >= 1 && number <= count ? messages[number - 1] : NULL;
	LinphoneContent *offer = message ? offer_in(message) : NULL;
	if (!offer) return failed("that message brings no file");
	linphone_content_set_file_path(offer, path);
	if (!linphone_chat_message_download_content(message, offer)) return failed("the download did not begin");
	say("{\"event\":\"done\"}");
}

static bool set_engine(char *words) {
#ifdef ADAPTER
	char address[256];
	snprintf(address, sizeof address, "sip:%s@sip.test", own_name);
	if (!strcmp(words, "off")) return adapter_set(core, address, NULL);
	if (!strncmp(words, "subrosa", 7)) return adapter_set(core, address, words);
	adapter_set(core, address, NULL);
#endif
	return engine_set(core, words);
}

static void obey(char *line) {
	char *rest, *command = strtok_r(line, " ", &rest);
	if (!command) return;
	if (!strcmp(command, "engine")) {
		if (set_engine(rest)) say("{\"event\":\"done\"}");
		return;
	}
	char *next[4] = { NULL };
	for (int i = 0; i < 4; i++) next[i] = strtok_r(NULL, " ", &rest);
	if (!strcmp(command, "route") && next[0]) route(next[0]);
	else if (!strcmp(command, "send") && next[0]) send_text(next[0], NULL, next[1] ? next[1] : "");
	else if (!strcmp(command, "send-as") && next[1]) send_text(next[0], next[1], next[2] ? next[2] : "");
	else if (!strcmp(command, "file") && next[2]) send_file(next[0], next[1], next[2], false, false);
	else if (!strcmp(command, "memory") && next[2]) send_file(next[0], next[1], next[2], true, false);
	else if (!strcmp(command, "twice") && next[2]) send_file(next[0], next[1], next[2], false, true);
	else if (!strcmp(command, "lime")) linphone_core_enable_lime_x3dh(core, FALSE);
	else if (!strcmp(command, "download") && next[1]) download(strtoul(next[0], NULL, 10), next[1]);
	else if (!strcmp(command, "typing") && next[0]) linphone_chat_room_compose(room_with(next[0]));
	else if (!strcmp(command, "read") && next[0]) linphone_chat_room_mark_as_read(room_with(next[0]));
	else failed("no such command");
}

/* Whether to go on. */
static bool hear(bool *in_order) {
	static char *line;
	static size_t held, room;
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	while (poll(&input, 1, 0) > 0) {
		if (room - held < 65536) line = realloc(line, room += 65536);
		ssize_t got = read(STDIN_FILENO, line + held, room - held);
		if (got <= 0) return false;
		held += (size_t)got;
		for (char *end; (end = memchr(line, '\n', held));) {
			*end = 0;
			size_t used = (size_t)(end + 1 - line);
			char *one = strdup(line);
			memmove(line, line + used, held -= used);
			bool quits = !strcmp(one, "quit");
			if (!quits) obey(one);
			free(one);
			if (quits) {
				free(line);
				*in_order = true;
				return false;
			}
		}
	}
	return true;
}

int main(int argc, char **argv) {
	if (argc != 5) {
		fprintf(stderr, "usage: phone NAME udp|tcp DIR FILES_URL\n");
		return 2;
	}
	char directory[4096];
	snprintf(directory, sizeof directory, "%s/", argv[3]); /* what is in it is named by adding to this */
	own_name = argv[1], transport = argv[2], home = directory;
	start(argv[4]);
	bool in_order = false;
	while (hear(&in_order)) {
		linphone_core_iterate(core);
#ifdef ADAPTER
		adapter_turn();
#endif
		usleep(1000);
	}
	fflush(logged);
	if (!in_order) _exit(0);
#ifdef ADAPTER
	adapter_set(core, "", NULL);
#endif
	for (size_t i = 0; i < count; i++) linphone_chat_message_unref(messages[i]);
	linphone_core_stop(core);
	linphone_core_unref(core);
	return 0;
}
