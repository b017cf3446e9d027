/* The sample of Linphone's documentation, ported by renaming; and two people who have it. */
#ifndef XOR_H
#define XOR_H
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
static xor_state of_alice, of_bob;

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

static void both_have_xor(void) {
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
}
static void both_end(void) {
    person_end(&alice);
    person_end(&bob);
    DOES(subrosa_set_log(SUBROSA_LOG_LEVEL_OFF, NULL, NULL, &error));
    puts("ok");
}
#endif
