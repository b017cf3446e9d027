/* What an engine may do, and everything that it can do wrong. */
#include "xor.h"

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

int main(void) {
    both_have_xor();
    there_and_back();
    bytes_that_are_no_text();
    refusals();
    nonsense();
    skips();
    notices_pass();
    pending();
    CHECK(destroyed == 0);
    both_end();
    CHECK(destroyed == 2);
    return 0;
}
