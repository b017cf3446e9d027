/* Engines with records, engines of the library, and which chat has which. */
#include "xor.h"

/* Numbers its messages; the number is stored with each. */
static int counting_out(subrosa_engine *engine, subrosa_chat *chat, subrosa_message *msg) {
    const uint8_t *record;
    size_t size;
    char text[64];
    (void)engine;
    (void)chat;
    if (subrosa_message_load_record(msg, "count", &record, &size) != 0) return 0;
    sprintf(text, "%d", record ? record[0] + 1 : 1);
    CHECK(record == NULL || size == 1);
    size = (size_t)atoi(text);
    CHECK(subrosa_message_store_record(msg, "count", size == 4 ? NULL : (const uint8_t *)&size, 1) == 0); /* little-endian or not: see below */
    subrosa_message_set_utf8_text(msg, text);
    subrosa_message_set_content_type(msg, "text/count");
    return 0;
}
static int counting_in(subrosa_engine *engine, subrosa_chat *chat, subrosa_message *msg) {
    (void)engine;
    (void)chat;
    CHECK(subrosa_message_set_utf8_text(msg, subrosa_message_get_utf8_text(msg)) == 0);
    return 0;
}
static int wants_all(subrosa_engine *engine, int kind) {
    (void)engine;
    return kind != SUBROSA_KIND_CALL;
}
static void records(void) {
    subrosa_engine_cbs cbs = { sizeof cbs, counting_in, counting_out, NULL, NULL, NULL, NULL, wants_all, NULL };
    subrosa_engine *engine = subrosa_engine_new(&cbs, "counting", NULL, NULL);
    uint16_t one = 1;
    if (*(const uint8_t *)&one != 1) return;
    person_has(&alice, engine);
    person_has(&bob, engine);
    subrosa_engine_unref(engine);
    sends(&alice, "a");
    sends(&alice, "b");
    sends(&alice, "c");
    sends(&alice, "d"); /* deletes it */
    sends(&alice, "e");
    HAPPENED(&bob, "message text/count 1; accept; message text/count 2; accept; message text/count 3; accept; message text/count 4; accept; "
                   "message text/count 1; accept; ");
    alice.diary[0] = 0;
}
static xor_state of_bob_anew;
static void those_of_the_library(void) {
    subrosa_engine *ours = subrosa_engine_by_name("xor", NULL), *theirs;
    subrosa_error *error = NULL;
    CHECK(ours != NULL && subrosa_engine_get_user_data(ours) == NULL);
    person_has(&alice, ours); /* takes the place of the table's: the same name */
    subrosa_engine_unref(ours);
    theirs = xor_engine(&of_bob_anew);
    person_has(&bob, theirs);
    subrosa_engine_unref(theirs);
    sends(&alice, "Bla bla bla bla");
    sends(&bob, "Super");
    HAPPENED(&alice, "sent; message text/plain Super; accept; ");
    HAPPENED(&bob, "message text/plain Bla bla bla bla; accept; sent; ");

    ours = subrosa_engine_by_name("preshared:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", NULL);
    person_has(&alice, ours);
    person_has(&bob, ours);
    subrosa_engine_unref(ours);
    sends(&alice, "sealed");
    HAPPENED(&bob, "message text/plain sealed; accept; ");
    alice.spoiled = 1;
    sends(&alice, "sealed");
    alice.spoiled = 0;
    CHECK(strncmp(bob.diary, "refuse ", 7) == 0);
    alice.diary[0] = bob.diary[0] = 0;

    ours = subrosa_engine_by_name("base64-async", NULL);
    SAME(subrosa_engine_get_name(ours), "base64");
    person_has(&alice, ours);
    person_has(&bob, ours);
    subrosa_engine_unref(ours);
    bells = 0;
    subrosa_machine_set_bell(alice.machine, ring, &bells);
    DOES(subrosa_machine_send_text(alice.machine, "m", bob.address, "on a thread", &error));
    wait_for_bell(); /* our own */
    person_acts(&alice);
    wait_for_bell(); /* the thread's */
    subrosa_machine_set_bell(alice.machine, NULL, NULL);
    subrosa_machine_set_bell(bob.machine, ring, &bells);
    bells = 0;
    person_acts(&alice);
    HAPPENED(&alice, "waiting; sent; ");
    SAME(alice.wire_type, "cipher/b64");
    wait_for_bell();
    person_acts(&bob);
    wait_for_bell();
    subrosa_machine_set_bell(bob.machine, NULL, NULL);
    person_acts(&bob);
    HAPPENED(&bob, "message text/plain on a thread; accept; ");

    CHECK(subrosa_engine_by_name("rot13", &error) == NULL);
    SAME(subrosa_error_get_code(error), "engine.unknown");
    subrosa_error_free(error);
}
/* Messages of some go to one, of others to nobody. */
static const char *route_by_name(void *user_data, const char *chat) {
    CHECK(user_data == &alice);
    return strcmp(chat, "bob@example.org") == 0 ? "base64" : strcmp(chat, "carol@example.org") == 0 ? "base46" : NULL;
}
static int routes_gone = 0;
static void route_gone(void *user_data) {
    CHECK(user_data == &alice);
    routes_gone++;
}
static void routes(void) {
    subrosa_engine *base64 = subrosa_engine_by_name("base64", NULL);
    person_has(&alice, base64);
    person_has(&bob, base64);
    subrosa_engine_unref(base64);
    DOES(subrosa_machine_route(alice.machine, route_by_name, &alice, route_gone, &error));
    sends(&alice, "routed");
    HAPPENED(&alice, "sent; ");
    DOES(subrosa_machine_send_text(alice.machine, "m", "carol@example.org", "a name that nobody has is not none", &error));
    both_act(&alice);
    HAPPENED(&alice, "not-sent 500 engine; ");
    LOGGED("not installed");
    DOES(subrosa_machine_send_text(alice.machine, "m", "dave@example.org", "none", &error));
    both_act(&alice);
    HAPPENED(&alice, "not-sent 488 not-encrypted; ");
    DOES(subrosa_machine_remove(alice.machine, "base64", &error));
    sends(&alice, "gone");
    HAPPENED(&alice, "not-sent 500 engine; ");
    CHECK(routes_gone == 0);
    DOES(subrosa_machine_route_all(alice.machine, NULL, &error));
    CHECK(routes_gone == 1);
    bob.diary[0] = 0;
}
static void shown(void) {
    static const char *types[] = { "text/plain", "image/" };
    subrosa_engine *base64 = subrosa_engine_by_name("base64", NULL);
    subrosa_send message = { sizeof message, "m", NULL, NULL, 0, 0, "image/png", (const uint8_t *)"png", 3, NULL, 0 };
    person_has(&alice, base64);
    message.chat = bob.address;
    DOES(subrosa_machine_send(alice.machine, &message, &error));
    both_act(&alice);
    HAPPENED(&bob, "refuse 415; ");
    DOES(subrosa_machine_set_shown(bob.machine, types, 2, &error));
    DOES(subrosa_machine_send(alice.machine, &message, &error));
    both_act(&alice);
    HAPPENED(&bob, "message image/png png; accept; ");
    subrosa_engine_unref(base64);
}

int main(void) {
    both_have_xor();
    records();
    those_of_the_library();
    routes();
    shown();
    both_end();
    CHECK(destroyed == 3);
    return 0;
}
