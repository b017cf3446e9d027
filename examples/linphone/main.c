/* A phone for words: a LinphoneCore with a Subrosa engine, on the loopback, without a registrar.
 *
 *   linphone_chat NAME PORT PEER PEER_PORT ENGINE
 *
 * is sip:NAME@sip.test on PORT and sends each line of its input to sip:PEER@sip.test on PEER_PORT. ENGINE: as
 * subrosa_engine_by_name has it. What it takes to put an engine into an application is between the two lines. */
#include "subrosa_linphone.h"

#include <linphone/factory.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- */

static void not_sent(void *user_data, LinphoneChatMessage *message, int status, const char *sentence, subrosa_question *question) {
	(void)user_data, (void)message;
	printf("not sent (%d): %s\n", status, sentence);
	subrosa_question_free(question); /* a window would ask, and call subrosa_question_confirmed_by_user from its button */
}

static void not_received(void *user_data, LinphoneChatMessage *message, int status, const char *sentence) {
	(void)user_data, (void)message;
	printf("not shown (%d): %s\n", status, sentence);
}

static subrosa_linphone *encrypt(LinphoneCore *core, const char *address, const char *words) {
	static const subrosa_linphone_cbs cbs = { not_sent, not_received };
	subrosa_error *error = NULL;
	subrosa_linphone *adapter = NULL;
	subrosa_machine *machine = subrosa_machine_new(address, NULL, NULL); /* give it a store, and it remembers what it has seen */
	subrosa_engine *engine = subrosa_engine_by_name(words, &error);
	if (engine && !subrosa_machine_install(machine, engine, &error) && !subrosa_machine_route_all(machine, subrosa_engine_get_name(engine), &error))
		adapter = subrosa_linphone_attach(core, machine, &cbs, NULL);
	if (error) fprintf(stderr, "%s\n", subrosa_error_get_message(error));
	subrosa_error_free(error);
	subrosa_engine_unref(engine); /* the machine has its own, */
	subrosa_machine_unref(machine); /* and the adapter the machine */
	return adapter;
}

/* ---- */

static void on_message(LinphoneCore *core, LinphoneChatRoom *room, LinphoneChatMessage *message) {
	(void)core, (void)room;
	const char *text = linphone_chat_message_get_utf8_text(message);
	printf("%s: %s%s\n", linphone_address_get_username(linphone_chat_message_get_from_address(message)), text ? text : "(a file)",
		linphone_chat_message_is_secured(message) ? "" : " (in clear)");
}

static LinphoneCore *core_at(int port) {
	char settings[1024];
	snprintf(settings, sizeof settings, "[sip]\nsip_port=%d\nsip_tcp_port=%d\nsip_tls_port=0\nbind_address=127.0.0.1\nuse_ipv6=0\nauto_net_state_mon=0\n[storage]\nuri=:memory:\ncall_logs_db_uri=null\n", port, port);
	LinphoneFactory *factory = linphone_factory_get();
	LinphoneConfig *config = linphone_config_new_from_buffer(settings);
	LinphoneCore *core = linphone_factory_create_core_with_config_3(factory, config, NULL);
	linphone_config_unref(config);
	LinphoneCoreCbs *cbs = linphone_factory_create_core_cbs(factory);
	linphone_core_cbs_set_message_received(cbs, on_message);
	linphone_core_add_callbacks(core, cbs);
	linphone_core_cbs_unref(cbs);
	return core;
}

static LinphoneAddress *address_of(const char *format, const char *part) {
	char text[256];
	snprintf(text, sizeof text, format, part);
	return linphone_factory_create_address(linphone_factory_get(), text);
}

/* Rooms forget ports: where everything goes is the account's affair. */
static void add_account(LinphoneCore *core, const char *name, const char *peer_port) {
	LinphoneAddress *own = address_of("sip:%s@sip.test", name), *server = address_of("<sip:127.0.0.1:%s;transport=tcp>", peer_port);
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
}

static LinphoneChatRoom *room_with(LinphoneCore *core, LinphoneAddress *peer) {
	LinphoneChatRoomParams *params = linphone_core_create_default_chat_room_params(core);
	bctbx_list_t *others = bctbx_list_append(NULL, peer);
	LinphoneChatRoom *room = linphone_core_create_chat_room_6(core, params, NULL, others);
	bctbx_list_free(others);
	linphone_chat_room_params_unref(params);
	return room;
}

static int chat(const char *name, int port, const char *peer_name, const char *peer_port, const char *engine) {
	char address[256], line[4096];
	LinphoneCore *core = core_at(port);
	add_account(core, name, peer_port);
	snprintf(address, sizeof address, "sip:%s@sip.test", name);
	subrosa_linphone *adapter = encrypt(core, address, engine);
	if (!adapter || linphone_core_start(core)) return 1;
	linphone_core_set_network_reachable(core, TRUE);
	LinphoneAddress *peer = address_of("sip:%s@sip.test", peer_name);
	LinphoneChatRoom *room = room_with(core, peer);
	printf("ready: what you write goes to sip:%s@sip.test\n", peer_name);

	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	for (bool more = true; more; linphone_core_iterate(core)) {
		if (poll(&input, 1, 10) <= 0) continue;
		more = fgets(line, sizeof line, stdin) != NULL;
		line[strcspn(line, "\n")] = 0;
		if (!more || !*line) continue;
		LinphoneChatMessage *message = linphone_chat_room_create_message_from_utf8(room, line);
		linphone_chat_message_send(message);
		linphone_chat_message_unref(message);
	}
	for (int turns = 0; turns < 100; turns++) linphone_core_iterate(core), usleep(10000); /* what was sent last is answered */
	subrosa_linphone_detach(adapter); /* before the core is stopped */
	linphone_address_unref(peer);
	linphone_core_stop(core);
	linphone_core_unref(core);
	return 0;
}

int main(int argc, char **argv) {
	if (argc != 6) {
		fprintf(stderr, "usage: linphone_chat NAME PORT PEER PEER_PORT ENGINE\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0), setvbuf(stdin, NULL, _IONBF, 0); /* poll sees what stdio would keep */
	char made[] = "/tmp/linphone_chat.XXXXXX", home[64], remove[64];
	if (!mkdtemp(made)) return 1;
	snprintf(home, sizeof home, "%s/", made);
	setenv("HOME", home, 1); /* the core leaves files there, and a Linphone of yours has its own */
	linphone_factory_set_data_dir(linphone_factory_get(), home);
	linphone_factory_set_config_dir(linphone_factory_get(), home);
	linphone_logging_service_set_log_level(linphone_logging_service_get(), LinphoneLogLevelFatal);
	int code = chat(argv[1], atoi(argv[2]), argv[3], argv[4], argv[5]);
	snprintf(remove, sizeof remove, "rm -r %s", made);
	return system(remove) ? 1 : code;
}
