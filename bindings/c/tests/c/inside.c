/* What callbacks may call and give back while they run: the object that called them too. */
#include "check.h"

static subrosa_machine *machine;
static subrosa_engine *engine;
static subrosa_outputs *out;
static subrosa_cipher *cipher;
static subrosa_content *file;
static uint64_t tokens[2];
static enum { NOTHING, COMES_BACK, FREES_CIPHER, FREES_FILE } inside;
static int destroyed = 0;
static void *core = &destroyed; /* what hooks are to find */

static int defers_twice(subrosa_engine *e, subrosa_chat *chat, subrosa_message *message) {
    (void)e, (void)chat;
    tokens[0] = subrosa_message_defer(message);
    tokens[1] = subrosa_message_defer(message);
    return SUBROSA_HOOK_PENDING;
}
/* Defers, completes at once, and then says that it has done it. */
static int changes_its_mind(subrosa_engine *e, subrosa_chat *chat, subrosa_message *message) {
    (void)e, (void)chat;
    tokens[0] = subrosa_message_defer(message);
    DOES(subrosa_machine_complete(machine, tokens[0], "text/plain", (const uint8_t *)"first", 5, &error));
    CHECK(subrosa_message_set_body(message, (const uint8_t *)"second", 6) == 0);
    return SUBROSA_HOOK_DONE;
}
static int sets_and_skips(subrosa_engine *e, subrosa_chat *chat, subrosa_message *message) {
    (void)e, (void)chat;
    CHECK(subrosa_message_set_body(message, (const uint8_t *)"set", 3) == 0);
    return SUBROSA_HOOK_SKIPPED;
}
static int files(subrosa_engine *e, subrosa_chat *chat) {
    (void)e, (void)chat;
    return 1;
}
static void key(subrosa_engine *e, subrosa_chat *chat, subrosa_message *message) {
    (void)e, (void)chat;
    CHECK(subrosa_content_set_key(subrosa_message_get_file_transfer_information(message), (const uint8_t *)"key", 3) == 0);
}
static int uploading(subrosa_engine *e, subrosa_message *message, size_t offset, const uint8_t *buffer, size_t *size, uint8_t *encrypted) {
    const uint8_t *bytes;
    size_t taken, count;
    subrosa_error *error = NULL;
    (void)message, (void)offset;
    CHECK(subrosa_engine_get_core(e) == core);
    if (buffer != NULL) memset(encrypted, 'x', *size);
    switch (inside) {
    case NOTHING: break;
    case COMES_BACK:
        CHECK(subrosa_cipher_chunk(cipher, (const uint8_t *)"more", 4, &taken, &bytes, &count, &error) == SUBROSA_FAULT_CALLER);
        SAME(subrosa_error_get_code(error), "c.in-use");
        CHECK(taken == 0 && bytes == NULL && count == 0);
        subrosa_error_free(error);
        CHECK(subrosa_cipher_finish(cipher, NULL, &bytes, &count, &error) == SUBROSA_FAULT_CALLER);
        SAME(subrosa_error_get_code(error), "c.in-use");
        subrosa_error_free(error);
        break;
    case FREES_CIPHER: subrosa_cipher_free(cipher); break;
    case FREES_FILE: subrosa_content_unref(file); break;
    }
    return 0;
}
static void looks_at_the_list(void *user_data) {
    (void)user_data;
    CHECK(subrosa_output_get_id(out) != 1); /* whatever it is: it comes back */
    subrosa_outputs_free(out);
    destroyed++;
}
static void unrefs_content(void *content) {
    destroyed++;
    subrosa_content_unref(content);
}
static void unrefs_machine(void *user_data) {
    (void)user_data;
    subrosa_machine_set_bell(machine, NULL, NULL);
    subrosa_machine_unref(machine);
}

static void begin(int (*outgoing)(subrosa_engine *, subrosa_chat *, subrosa_message *), subrosa_destroy destroy) {
    subrosa_engine_cbs cbs = { sizeof cbs, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL };
    cbs.process_incoming_message = cbs.process_outgoing_message = outgoing;
    cbs.is_encryption_enabled_for_file_transfer = files;
    cbs.generate_file_transfer_key = key;
    cbs.process_uploading_file = uploading;
    cbs.destroy = destroy;
    machine = subrosa_machine_new("alice@example.org", NULL, NULL);
    subrosa_machine_set_user_data(machine, core = &destroyed);
    engine = subrosa_engine_new(&cbs, "inside", NULL, NULL);
    DOES(subrosa_machine_install(machine, engine, &error));
    DOES(subrosa_machine_route_all(machine, "inside", &error));
}
static void end(void) {
    subrosa_engine_unref(engine);
    subrosa_machine_unref(machine);
}
static void commit(void) {
    DOES(subrosa_machine_commit(machine, 1, &out, &error));
}
static int offered(void) {
    subrosa_content *content = subrosa_content_new("name", "type/x", 4, NULL);
    DOES(subrosa_machine_offer_file(machine, "f", "bob@example.org", content, &error));
    subrosa_content_unref(content);
    commit();
    return subrosa_outputs_next(out);
}

static void a_file(void) {
    const uint8_t *bytes;
    size_t taken, count;
    subrosa_error *error = NULL;
    int frees;
    begin(defers_twice, NULL);
    for (frees = 0; frees < 2; frees++) {
        CHECK(offered() == SUBROSA_OUTPUT_UPLOAD);
        cipher = subrosa_output_take_cipher(out);
        file = subrosa_output_get_file(out);
        subrosa_outputs_free(out);
        inside = COMES_BACK;
        DOES(subrosa_cipher_chunk(cipher, (const uint8_t *)"abcd", 4, &taken, &bytes, &count, &error));
        CHECK(taken == 4 && count == 4 && memcmp(bytes, "xxxx", 4) == 0);
        if (frees) {
            inside = FREES_FILE;
            CHECK(subrosa_cipher_finish(cipher, file, &bytes, &count, &error) == 0);
            CHECK(subrosa_content_get_file_size(file) == 0);
            subrosa_cipher_free(cipher);
        } else {
            inside = FREES_CIPHER;
            CHECK(subrosa_cipher_chunk(cipher, (const uint8_t *)"abcd", 4, &taken, &bytes, &count, &error) == SUBROSA_FAULT_CALLER);
            CHECK(taken == 0 && bytes == NULL && count == 0);
            SAME(subrosa_error_get_code(error), "c.handle");
            subrosa_error_free(error);
            subrosa_content_unref(file);
        }
    }
    inside = NOTHING;
    CHECK(offered() == SUBROSA_OUTPUT_UPLOAD);
    cipher = subrosa_output_take_cipher(out);
    subrosa_outputs_free(out);
    end();
    core = NULL; /* the machine is gone, and what it was given may be too */
    DOES(subrosa_cipher_chunk(cipher, (const uint8_t *)"abcd", 4, &taken, &bytes, &count, &error));
    subrosa_cipher_free(cipher);
}
static void a_list(void) {
    begin(defers_twice, looks_at_the_list);
    CHECK(offered() == SUBROSA_OUTPUT_UPLOAD);
    end(); /* the cipher in the list is the last that has the engine */
    CHECK(destroyed == 0);
    CHECK(subrosa_outputs_next(out) == SUBROSA_OUTPUT_NONE && destroyed == 1);
    CHECK(subrosa_output_get_id(out) == 0);
    destroyed = 0;
}
static void a_content(void) {
    subrosa_content *content = subrosa_content_new("name", "type/x", 4, NULL);
    subrosa_content_set_user_data(content, content, unrefs_content);
    subrosa_content_set_user_data(content, NULL, NULL);
    CHECK(destroyed == 1 && subrosa_content_get_file_size(content) == 0);
    destroyed = 0;
}
static void a_machine(void) {
    begin(defers_twice, NULL);
    subrosa_machine_set_bell(machine, unrefs_machine, NULL);
    DOES(subrosa_machine_tick(machine, &error));
    CHECK(subrosa_machine_ref(machine) == NULL);
    subrosa_engine_unref(engine);
}
static void what_leaves(void) {
    int type, left = 0;
    size_t size;
    begin(defers_twice, NULL);
    DOES(subrosa_machine_send_text(machine, "m", "bob@example.org", "secret", &error));
    commit();
    while ((type = subrosa_outputs_next(out)) != SUBROSA_OUTPUT_NONE) CHECK(type == SUBROSA_OUTPUT_WAITING);
    subrosa_outputs_free(out);
    CHECK(tokens[0] != 0 && tokens[0] == tokens[1]);
    /* A token that was changed on its way says that the message came: it is refused. */
    DOES(subrosa_machine_complete(machine, tokens[0] ^ 1, "text/plain", (const uint8_t *)"secret", 6, &error));
    commit();
    while ((type = subrosa_outputs_next(out)) != SUBROSA_OUTPUT_NONE) CHECK(type == SUBROSA_OUTPUT_NOT_SENT);
    subrosa_outputs_free(out);
    end();

    begin(changes_its_mind, NULL);
    DOES(subrosa_machine_send_text(machine, "m", "bob@example.org", "secret", &error));
    while (subrosa_machine_get_waiting(machine) > 0) {
        commit();
        while ((type = subrosa_outputs_next(out)) != SUBROSA_OUTPUT_NONE) {
            if (type != SUBROSA_OUTPUT_TRANSMIT) continue;
            CHECK(memcmp(subrosa_output_get_body(out, &size), "second", 6) == 0 && size == 6);
            left++;
        }
        subrosa_outputs_free(out);
    }
    CHECK(left == 1);
    end();

    begin(sets_and_skips, NULL);
    DOES(subrosa_machine_send_text(machine, "m", "bob@example.org", "secret", &error));
    commit();
    CHECK(subrosa_outputs_next(out) == SUBROSA_OUTPUT_NOT_SENT && subrosa_outputs_next(out) == SUBROSA_OUTPUT_NONE);
    subrosa_outputs_free(out);
    end();
}
/* A table of an older header ends before ours does, and one may stand anywhere. */
static void tables(void) {
    subrosa_error *error = NULL;
    size_t *old = malloc(sizeof *old);
    char *bytes = calloc(2, sizeof(subrosa_store_cbs));
    *old = sizeof *old;
    CHECK(subrosa_machine_new("a@b", (void *)old, &error) == NULL);
    SAME(subrosa_error_get_code(error), "c.size");
    subrosa_error_free(error);
    CHECK(subrosa_machine_new("a@b", (void *)(bytes + 1), &error) == NULL);
    SAME(subrosa_error_get_code(error), "c.size");
    subrosa_error_free(error);
    free(old);
    free(bytes);
}

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        void (*run)(void);
    } all[] = { { "tables", tables }, { "leaves", what_leaves }, { "machine", a_machine }, { "content", a_content }, { "file", a_file }, { "list", a_list } };
    size_t i;
    for (i = 0; i < sizeof all / sizeof *all; i++) {
        if (count < 2 || strcmp(arguments[1], all[i].name) == 0) all[i].run();
    }
    puts("ok");
    return 0;
}
