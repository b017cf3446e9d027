/* The sample of Linphone's documentation, ported by renaming, and everything that an engine can do wrong. */
#include "people.h"
#include <limits.h>
#include <pthread.h>

#define KEY "SuperSecretXorKey"

static int destroyed = 0;
/* What the hooks are to answer; TURN: what an engine should. */
enum { TURN = INT_MIN + 1, DEFER, EMPTY, TYPE_ONLY };
typedef struct {
    int out, in;
    uint64_t token;
    char seen[256];
} xor_state;

static void xor_turn(uint8_t *to, const uint8_t *from, size_t size) {
    size_t i;
    for (i = 0; i < size; i++) to[i] = from[i] ^ (uint8_t)KEY[i % (sizeof KEY - 1)];
}
static void xor_body(subrosa_message *msg) {
    size_t size;
    const uint8_t *body = subrosa_message_get_body(msg, &size);
    uint8_t *turned = malloc(size + 1);
    xor_turn(turned, body, size);
    CHECK(subrosa_message_set_body(msg, turned, size) == 0);
    free(turned);
}
static int xor_answer(xor_state *state, int code, subrosa_message *msg) {
    switch (code) {
    case DEFER:
        state->token = subrosa_message_defer(msg);
        CHECK(state->token != 0);
        return SUBROSA_HOOK_PENDING;
    case EMPTY:
        subrosa_message_set_body(msg, NULL, 0);
        return SUBROSA_HOOK_DONE;
    case TYPE_ONLY:
        subrosa_message_set_content_type(msg, "cipher/xor");
        return SUBROSA_HOOK_DONE;
    default: return code;
    }
}
static int process_outgoing_message(subrosa_engine *engine, subrosa_chat *room, subrosa_message *msg) {
    xor_state *state = subrosa_engine_get_user_data(engine);
    person *me = subrosa_engine_get_core(engine);
    CHECK(subrosa_message_get_core(msg) == me && subrosa_chat_get_core(room) == me);
    CHECK(subrosa_message_get_chat(msg) == room && subrosa_message_is_outgoing(msg));
    SAME(subrosa_chat_get_peer_address(room), me->peer->address);
    SAME(subrosa_message_get_from_address(msg), me->address);
    CHECK(subrosa_message_get_recipient_count(msg) == 1 && subrosa_message_get_recipient(msg, 1) == NULL);
    SAME(subrosa_message_get_recipient(msg, 0), me->peer->address);
    CHECK(subrosa_message_get_file_transfer_information(msg) == NULL);
    if (state->out != TURN) return xor_answer(state, state->out, msg);
    xor_body(msg);
    subrosa_message_set_content_type(msg, "cipher/xor");
    SAME(subrosa_message_get_content_type(msg), "cipher/xor");
    return 0;
}
static int process_incoming_message(subrosa_engine *engine, subrosa_chat *room, subrosa_message *msg) {
    xor_state *state = subrosa_engine_get_user_data(engine);
    person *me = subrosa_engine_get_core(engine);
    const char *header = subrosa_message_get_custom_header(msg, "x-seen");
    CHECK(!subrosa_message_is_outgoing(msg));
    SAME(subrosa_message_get_from_address(msg), me->peer->address);
    SAME(subrosa_message_get_recipient(msg, 0), me->address);
    SAME(subrosa_chat_get_peer_address(room), me->peer->address);
    sprintf(state->seen, "%d %s", subrosa_message_get_kind(msg), header ? header : "-");
    if (state->in != TURN) return xor_answer(state, state->in, msg);
    if (strcmp(subrosa_message_get_content_type(msg), "cipher/xor") == 0) {
        xor_body(msg);
        subrosa_message_set_content_type(msg, "text/plain");
        return 0;
    } else if (strcmp(subrosa_message_get_content_type(msg), "text/plain") == 0) {
        return -1; /* not encrypted */
    }
    return 488;
}
static void gone(void *state) {
    ((xor_state *)state)->out = 0;
    destroyed++;
}
static subrosa_engine *xor_engine(xor_state *state) {
    subrosa_engine_cbs cbs = { sizeof cbs, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL };
    subrosa_engine *engine;
    cbs.process_incoming_message = process_incoming_message;
    cbs.process_outgoing_message = process_outgoing_message;
    cbs.destroy = gone;
    state->out = state->in = TURN;
    engine = subrosa_engine_new(&cbs, "xor", state, NULL);
    CHECK(engine != NULL && subrosa_engine_get_user_data(engine) == state && subrosa_engine_get_core(engine) == NULL);
    return engine;
}

/* Why was it 500? */
static char last_log[1024];
static void keep_log(void *user_data, int level, const char *message) {
    CHECK(user_data == last_log && level >= SUBROSA_LOG_LEVEL_ERROR && level <= SUBROSA_LOG_LEVEL_WARNING);
    strncpy(last_log, message, sizeof last_log - 1);
}
#define LOGGED(part) \
    do { \
        CHECK(strstr(last_log, part) != NULL); \
        last_log[0] = 0; \
    } while (0)

static person alice, bob;
static xor_state of_alice, of_bob, of_bob_anew;

/* Until nobody has anything left to do. */
static void both_act(person *p) {
    int turns = 0;
    do {
        person_acts(p);
        person_acts(p->peer);
        CHECK(++turns < 100);
    } while (subrosa_machine_get_waiting(p->machine) + subrosa_machine_get_waiting(p->peer->machine) > 0);
}
static void sends(person *p, const char *text) {
    DOES(subrosa_machine_send_text(p->machine, "m", p->peer->address, text, &error));
    both_act(p);
}
static void there_and_back(void) {
    static const char *texts[] = { "Bla bla bla bla", "Super", "SuperSecretXorKey and NULs before", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\xb9" };
    size_t i;
    for (i = 0; i < sizeof texts / sizeof *texts; i++) {
        char expected[256];
        uint8_t turned[256];
        sends(&alice, texts[i]);
        SAME(alice.wire_type, "cipher/xor");
        xor_turn(turned, (const uint8_t *)texts[i], strlen(texts[i]));
        CHECK(alice.wire_size == strlen(texts[i]) && memcmp(alice.wire, turned, alice.wire_size) == 0);
        HAPPENED(&alice, "sent; ");
        sprintf(expected, "message text/plain %s; accept; ", texts[i]);
        HAPPENED(&bob, expected);
    }
    sends(&bob, "back");
    HAPPENED(&alice, "message text/plain back; accept; ");
    HAPPENED(&bob, "sent; ");
}
static void bytes_that_are_no_text(void) {
    subrosa_send message = { sizeof message, "m", NULL, NULL, 0, 0, NULL, NULL, 0, NULL, 0 };
    const char *to[1];
    subrosa_header header;
    header.name = "X-Seen";
    header.value = "h\xc3\xa9";
    to[0] = message.chat = bob.address;
    message.recipients = to;
    message.recipient_count = 1;
    message.body = (const uint8_t *)"a\0b\xff";
    message.body_size = 4;
    message.headers = &header;
    message.header_count = 1;
    DOES(subrosa_machine_send(alice.machine, &message, &error));
    both_act(&alice);
    HAPPENED(&alice, "sent; ");
    HAPPENED(&bob, "message text/plain (bytes); accept; ");
    SAME(of_bob.seen, "0 h\xc3\xa9");
}
static void refusals(void) {
    static const int codes[] = { 300, 400, 403, 404, 415, 480, 486, 488, 500, 503, 600, 603, 699 };
    size_t i;
    for (i = 0; i < sizeof codes / sizeof *codes; i++) {
        char expected[64];
        of_bob.in = codes[i];
        sends(&alice, "no");
        sprintf(expected, "refuse %d; ", codes[i]);
        HAPPENED(&bob, expected);
        HAPPENED(&alice, "sent; ");
        of_bob.in = TURN;
        of_alice.out = codes[i];
        sends(&alice, "no");
        sprintf(expected, "not-sent %d engine; ", codes[i]);
        HAPPENED(&alice, expected);
        CHECK(alice.question == NULL);
        of_alice.out = TURN;
    }
    HAPPENED(&bob, "");
}
static void nonsense(void) {
    static const int codes[] = { INT_MIN, -500, -2, 2, 42, 299, 700, 1000, INT_MAX };
    size_t i;
    for (i = 0; i < sizeof codes / sizeof *codes; i++) {
        of_alice.out = codes[i];
        sends(&alice, "no");
        HAPPENED(&alice, "not-sent 500 engine; ");
        LOGGED("which is none of -1, 0, 1 and 300 to 699");
        of_alice.out = TURN;
        of_bob.in = codes[i];
        sends(&alice, "no");
        HAPPENED(&alice, "sent; ");
        HAPPENED(&bob, "refuse 500; ");
        LOGGED("xor");
        of_bob.in = TURN;
    }
    of_alice.out = SUBROSA_HOOK_PENDING;
    sends(&alice, "no");
    HAPPENED(&alice, "not-sent 500 engine; ");
    LOGGED("without subrosa_message_defer");
    of_alice.out = SUBROSA_HOOK_DONE;
    sends(&alice, "no");
    HAPPENED(&alice, "not-sent 500 engine; ");
    LOGGED("set no body");
    of_alice.out = TYPE_ONLY;
    sends(&alice, "no");
    HAPPENED(&alice, "not-sent 500 engine; ");
    LOGGED("set no body");
    of_alice.out = EMPTY;
    sends(&alice, "no");
    HAPPENED(&alice, "not-sent 500 engine; ");
    LOGGED("set an empty body");
    of_alice.out = TURN;
    sends(&alice, ""); /* nothing turned is nothing: it can't be told from nothing set */
    HAPPENED(&alice, "not-sent 500 engine; ");
    LOGGED("set an empty body");
    HAPPENED(&bob, "");
    of_bob.in = EMPTY; /* a message without words is one; but of a type that nobody can show it is none */
    sends(&alice, "no");
    HAPPENED(&alice, "sent; ");
    HAPPENED(&bob, "refuse 415; ");
    of_bob.in = TURN;
}
static void skips(void) {
    of_alice.out = of_bob.out = SUBROSA_HOOK_SKIPPED;
    sends(&alice, "in clear?");
    HAPPENED(&alice, "not-sent 488 not-encrypted; ");
    HAPPENED(&bob, "");
    SAME(subrosa_question_get_chat(alice.question), bob.address);
    DOES(subrosa_question_confirmed_by_user(alice.question, alice.machine, &error));
    CHECK(subrosa_question_confirmed_by_user(alice.question, alice.machine, NULL) == SUBROSA_FAULT_CALLER);
    sends(&alice, "in clear");
    SAME(alice.wire_type, "text/plain");
    HAPPENED(&alice, "leaves-in-clear; sent; ");
    HAPPENED(&bob, "refuse 488; "); /* he allowed nothing */
    sends(&bob, "me too?");
    HAPPENED(&bob, "not-sent 488 not-encrypted; ");
    DOES(subrosa_question_confirmed_by_user(bob.question, bob.machine, &error));
    sends(&alice, "in clear");
    HAPPENED(&bob, "message-in-clear text/plain in clear; accept; ");
    DOES(subrosa_machine_forbid_clear_text(alice.machine, bob.address, &error));
    DOES(subrosa_machine_forbid_clear_text(bob.machine, alice.address, &error));
    alice.diary[0] = 0;
    sends(&alice, "in clear");
    HAPPENED(&alice, "not-sent 488 not-encrypted; ");
    of_alice.out = of_bob.out = TURN;
}
static void notices_pass(void) {
    subrosa_send message = { sizeof message, "m", NULL, NULL, 0, SUBROSA_KIND_TYPING, "application/im-iscomposing+xml", NULL, 0, NULL, 0 };
    message.chat = bob.address;
    message.body = (const uint8_t *)"<isComposing/>";
    message.body_size = 14;
    DOES(subrosa_machine_send(alice.machine, &message, &error));
    both_act(&alice);
    HAPPENED(&alice, "leaves-in-clear; sent; ");
    HAPPENED(&bob, "message-in-clear application/im-iscomposing+xml <isComposing/>; accept; ");
    message.kind = SUBROSA_KIND_RECEIPT;
    DOES(subrosa_machine_send(alice.machine, &message, &error));
    both_act(&alice);
    HAPPENED(&alice, "leaves-in-clear; sent; ");
    HAPPENED(&bob, "message-in-clear application/im-iscomposing+xml <isComposing/>; accept; ");
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t rung = PTHREAD_COND_INITIALIZER;
static int bells = 0;
static void ring(void *user_data) {
    CHECK(user_data == &bells);
    pthread_mutex_lock(&mutex);
    bells++;
    pthread_cond_broadcast(&rung);
    pthread_mutex_unlock(&mutex);
}
static void wait_for_bell(void) {
    pthread_mutex_lock(&mutex);
    while (bells == 0) pthread_cond_wait(&rung, &mutex);
    bells = 0;
    pthread_mutex_unlock(&mutex);
}
typedef struct {
    person *p;
    uint64_t token;
    const char *type, *body;
    int code;
} job;
static void *complete(void *data) {
    const job *j = data;
    if (j->code != 0) {
        DOES(subrosa_machine_complete_rejected(j->p->machine, j->token, j->code, &error));
    } else {
        DOES(subrosa_machine_complete(j->p->machine, j->token, j->type, (const uint8_t *)j->body, strlen(j->body), &error));
    }
    return NULL;
}
static void later(person *p, uint64_t token, const char *type, const char *body, int code) {
    pthread_t thread;
    job j;
    j.p = p;
    j.token = token;
    j.type = type;
    j.body = body;
    j.code = code;
    subrosa_machine_set_bell(p->machine, ring, &bells);
    CHECK(pthread_create(&thread, NULL, complete, &j) == 0);
    wait_for_bell();
    CHECK(pthread_join(thread, NULL) == 0);
    subrosa_machine_set_bell(p->machine, NULL, NULL);
    both_act(p);
}
static void pending(void) {
    of_alice.out = DEFER;
    sends(&alice, "later");
    HAPPENED(&alice, "waiting; ");
    later(&alice, of_alice.token, "text/upper", "LATER", 0);
    HAPPENED(&alice, "sent; ");
    SAME(alice.wire_type, "text/upper");
    HAPPENED(&bob, "refuse 488; ");
    sends(&alice, "later");
    later(&alice, of_alice.token, "cipher/xor", "", 0);
    HAPPENED(&alice, "waiting; not-sent 500 engine; ");
    LOGGED("empty body");
    sends(&alice, "later");
    later(&alice, of_alice.token, NULL, NULL, 403);
    HAPPENED(&alice, "waiting; not-sent 403 engine; ");
    sends(&alice, "later");
    later(&alice, of_alice.token, NULL, NULL, 9);
    HAPPENED(&alice, "waiting; not-sent 500 engine; ");
    LOGGED("refused with 9");
    later(&alice, of_alice.token, "cipher/xor", "twice", 0); /* nobody waits any more */
    HAPPENED(&alice, "");
    of_alice.out = TURN;

    of_bob.in = DEFER;
    sends(&alice, "later");
    HAPPENED(&bob, "");
    later(&bob, of_bob.token, "text/plain", "read later", 0);
    HAPPENED(&bob, "message text/plain read later; accept; ");
    sends(&alice, "later");
    later(&bob, of_bob.token, NULL, NULL, 486);
    HAPPENED(&bob, "refuse 486; ");
    sends(&alice, "never");
    CHECK(subrosa_machine_wake_at(bob.machine) == now_ms + HOLD);
    now_ms += HOLD;
    DOES(subrosa_machine_tick(bob.machine, &error));
    both_act(&bob);
    HAPPENED(&bob, "refuse 480; ");
    of_bob.in = TURN;
    alice.diary[0] = 0;
}

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
    subrosa_engine *engine;
    DOES(subrosa_set_log(SUBROSA_LOG_LEVEL_WARNING, keep_log, last_log, &error));
    person_begin(&alice, "alice@example.org", &bob);
    person_begin(&bob, "bob@example.org", &alice);
    engine = xor_engine(&of_alice);
    person_has(&alice, engine);
    subrosa_engine_unref(engine);
    engine = xor_engine(&of_bob);
    person_has(&bob, engine);
    subrosa_engine_unref(engine);
    there_and_back();
    bytes_that_are_no_text();
    refusals();
    nonsense();
    skips();
    notices_pass();
    pending();
    records();
    those_of_the_library();
    routes();
    shown();
    person_end(&alice);
    person_end(&bob);
    CHECK(destroyed == 3);
    DOES(subrosa_set_log(SUBROSA_LOG_LEVEL_OFF, NULL, NULL, &error));
    puts("ok");
    return 0;
}
