/* The phone over examples/linphone: engines of a Subrosa machine. */
#include "phone.h"

#include <linphone/factory.h>
#include <stdlib.h>
#include <string.h>
#include <subrosa_linphone.h>

/* engines.c, ported. */
subrosa_engine *ported_engine(subrosa_machine *machine, char *words);
void ported_finish(void);

static LinphoneCore *own;
static subrosa_linphone *adapter;
static subrosa_machine *machine;
static bool says_yes;

static void not_sent(void *user_data, LinphoneChatMessage *message, int status, const char *sentence, subrosa_question *question) {
	(void)user_data, (void)message;
	char *why = hex(sentence, strlen(sentence));
	say("{\"event\":\"not-sent\",\"code\":%d,\"why\":\"%s\",\"asked\":%s}", status, why, question ? "true" : "false");
	if (question && says_yes) subrosa_question_confirmed_by_user(question, machine, NULL);
	subrosa_question_free(question);
	free(why);
}

static void not_received(void *user_data, LinphoneChatMessage *message, int status, const char *sentence) {
	(void)user_data, (void)message;
	char *why = hex(sentence, strlen(sentence));
	say("{\"event\":\"not-received\",\"code\":%d,\"why\":\"%s\"}", status, why);
	free(why);
}

static void failed(subrosa_error *error) {
	char *why = hex(subrosa_error_get_message(error), strlen(subrosa_error_get_message(error)));
	say("{\"event\":\"failed\",\"what\":\"%s\"}", why);
	free(why);
	subrosa_error_free(error);
}

bool adapter_set(LinphoneCore *core, const char *address, char *words) {
	static const subrosa_linphone_cbs cbs = { not_sent, not_received };
	subrosa_error *error = NULL;
	subrosa_linphone_detach(adapter);
	subrosa_machine_unref(machine);
	adapter = NULL, machine = NULL, says_yes = false;
	own = core;
	if (!words) return true;
	char *rest, *way = strtok_r(words, " ", &rest);
	machine = subrosa_machine_new(address, NULL, &error);
	if (!strncmp(rest, "clear ", 6)) says_yes = true, rest += 6;
	subrosa_engine *engine = !strcmp(way, "subrosa-c") ? ported_engine(machine, rest) : subrosa_engine_by_name(rest, &error);
	if (engine && !subrosa_machine_install(machine, engine, &error) && !subrosa_machine_route_all(machine, subrosa_engine_get_name(engine), &error))
		adapter = subrosa_linphone_attach(core, machine, &cbs, NULL);
	subrosa_engine_unref(engine);
	if (error) failed(error);
	return adapter != NULL;
}

void nest(void) {
	LinphoneAddress *address = linphone_factory_create_address(linphone_factory_get(), "sip:pauline@sip.test");
	LinphoneChatRoom *room = linphone_core_search_chat_room(own, NULL, NULL, address, NULL);
	LinphoneChatMessage *message = linphone_chat_room_create_message_from_utf8(room, "nested");
	linphone_chat_message_send(message);
	for (int i = 0; i < 3; i++) linphone_core_iterate(own);
	if (subrosa_linphone_detach(adapter) == 0) abort();
	linphone_chat_message_unref(message);
	linphone_address_unref(address);
}

void adapter_turn(void) {
	if (machine) ported_finish();
}
