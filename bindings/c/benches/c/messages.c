/* Sends messages through a machine, as the bench tells it on its standard input: the name of the engine, and how many. Answers with
   nanoseconds a message. */
#include "subrosa.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int turn(subrosa_message *message, const char *content_type) {
    static const char key[] = "SuperSecretXorKey";
    uint8_t turned[128];
    size_t size, i, k = 0;
    const uint8_t *body = subrosa_message_get_body(message, &size);
    if (size > sizeof turned) return 413;
    for (i = 0; i < size; i++) {
        turned[i] = body[i] ^ (uint8_t)key[k];
        if (++k == sizeof key - 1) k = 0;
    }
    subrosa_message_set_body(message, turned, size);
    subrosa_message_set_content_type(message, content_type);
    return 0;
}
static int outgoing(subrosa_engine *engine, subrosa_chat *chat, subrosa_message *message) {
    (void)engine, (void)chat;
    if (strcmp(subrosa_message_get_content_type(message), "text/plain") != 0) return -1;
    return turn(message, "cipher/xor");
}
static int incoming(subrosa_engine *engine, subrosa_chat *chat, subrosa_message *message) {
    (void)engine, (void)chat;
    if (strcmp(subrosa_message_get_content_type(message), "cipher/xor") != 0) return -1;
    return turn(message, "text/plain");
}
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}
static subrosa_machine *machine_with(subrosa_engine *engine) {
    subrosa_machine *machine = subrosa_machine_new("alice@example.org", NULL, NULL);
    if (subrosa_machine_install(machine, engine, NULL) != 0 || subrosa_machine_route_all(machine, subrosa_engine_get_name(engine), NULL) != 0) exit(1);
    subrosa_engine_unref(engine);
    return machine;
}

int main(void) {
    subrosa_engine_cbs cbs = { sizeof cbs, incoming, outgoing, NULL, NULL, NULL, NULL, NULL, NULL };
    subrosa_machine *table = machine_with(subrosa_engine_new(&cbs, "xor", NULL, NULL)), *ours = machine_with(subrosa_engine_by_name("xor", NULL));
    subrosa_send message = { sizeof message, "1", "bob@example.org", NULL, 0, 0, NULL, NULL, 100, NULL, 0 };
    char body[100], engine[16];
    long count, i;
    memset(body, 'a', sizeof body);
    message.body = (const uint8_t *)body;
    while (scanf("%15s %ld", engine, &count) == 2) {
        subrosa_machine *machine = strcmp(engine, "table") == 0 ? table : ours;
        double began = now();
        for (i = 0; i < count; i++) {
            subrosa_outputs *out;
            const uint8_t *left = NULL;
            size_t size = 0;
            int type;
            if (subrosa_machine_send(machine, &message, NULL) != 0 || subrosa_machine_commit(machine, 1700000000000u, &out, NULL) != 0) return 1;
            while ((type = subrosa_outputs_next(out)) != SUBROSA_OUTPUT_NONE) {
                if (type == SUBROSA_OUTPUT_TRANSMIT) left = subrosa_output_get_body(out, &size);
                if (subrosa_machine_done(machine, subrosa_output_get_id(out), NULL) != 0) return 1;
            }
            if (left == NULL || size != sizeof body) return 1;
            subrosa_outputs_free(out);
        }
        printf("%f\n", (now() - began) / (double)count);
        fflush(stdout);
    }
    subrosa_machine_unref(table);
    subrosa_machine_unref(ours);
    return 0;
}
