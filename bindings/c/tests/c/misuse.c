/* Handles that were given back, are of another type or are kept too long; callbacks that do what they must not. */
#include "check.h"
#include <pthread.h>

#define REFUSED(call, expected_code) \
    do { \
        subrosa_error *error = NULL; \
        CHECK((call) == SUBROSA_FAULT_CALLER); \
        CHECK(subrosa_error_get_fault(error) == SUBROSA_FAULT_CALLER && subrosa_error_get_status(error) == 0); \
        SAME(subrosa_error_get_code(error), expected_code); \
        CHECK(strlen(subrosa_error_get_message(error)) > 10); \
        subrosa_error_free(error); \
    } while (0)

static subrosa_machine *machine;
static subrosa_message *kept_message;
static subrosa_chat *kept_chat;
static subrosa_engine *kept_engine;
static subrosa_row *kept_row;
static int inside = 0, released = 0;

static void commits_inside(void) {
    subrosa_outputs *out = (subrosa_outputs *)1;
    REFUSED(subrosa_machine_commit(machine, 1, &out, &error), "c.re-entry");
    CHECK(out == NULL);
    REFUSED(subrosa_machine_install_omemo(machine, &error), "c.re-entry");
    REFUSED(subrosa_machine_route_all(machine, NULL, &error), "c.re-entry");
    REFUSED(subrosa_machine_set_patience(machine, 1, &error), "c.re-entry");
    CHECK(subrosa_machine_wake_at(machine) == 0);
    DOES(subrosa_machine_tick(machine, &error)); /* feeding is fine */
    inside++;
}
static int hook(subrosa_engine *engine, subrosa_chat *chat, subrosa_message *message) {
    size_t size;
    kept_message = message;
    kept_chat = chat;
    if (kept_engine == NULL) kept_engine = subrosa_engine_ref(engine); /* this one may be kept */
    CHECK(kept_engine == engine);
    commits_inside();
    CHECK(subrosa_message_get_body((const subrosa_message *)chat, &size) == NULL && size == 0);
    CHECK(subrosa_message_set_utf8_text(message, NULL) == SUBROSA_FAULT_CALLER);
    CHECK(subrosa_message_set_utf8_text(message, "\xff") == SUBROSA_FAULT_CALLER);
    CHECK(subrosa_message_set_content_type(message, "") == SUBROSA_FAULT_CALLER);
    CHECK(subrosa_message_set_body(message, NULL, 1) == SUBROSA_FAULT_CALLER);
    CHECK(subrosa_message_set_body(message, (const uint8_t *)"x", (size_t)-1) == SUBROSA_FAULT_CALLER);
    CHECK(subrosa_message_get_custom_header(message, NULL) == NULL);
    subrosa_engine_unref((subrosa_engine *)message);
    CHECK(subrosa_message_set_body(message, (const uint8_t *)"x", 1) == 0);
    return SUBROSA_HOOK_DONE;
}
/* Gives back what it was only lent. */
static int gives_back(subrosa_engine *engine, subrosa_chat *chat, subrosa_message *message) {
    (void)chat;
    subrosa_engine_unref(engine);
    CHECK(subrosa_engine_get_user_data(engine) == NULL);
    CHECK(subrosa_message_set_body(message, (const uint8_t *)"x", 1) == 0);
    return SUBROSA_HOOK_DONE;
}
static int load(void *user_data, const char *key, subrosa_row *row) {
    (void)user_data;
    CHECK(key[0] != 0);
    kept_row = row;
    commits_inside();
    return 0;
}
static int begin(void *user_data) {
    (void)user_data;
    commits_inside();
    return 0;
}
static int put(void *user_data, const char *key, const uint8_t *bytes, size_t size) {
    (void)user_data;
    CHECK(key[0] != 0 && (bytes != NULL || size == 0));
    return 0;
}
static int end(void *user_data, int commit) {
    (void)user_data;
    CHECK(commit == 1);
    return 0;
}
static void release(void *user_data) {
    CHECK(user_data == &released);
    released++;
}
static const char *route(void *user_data, const char *chat) {
    (void)user_data;
    (void)chat;
    commits_inside();
    return "careful";
}
static void bell(void *user_data) {
    (void)user_data;
    inside++;
}
static void *commits_elsewhere(void *data) {
    subrosa_outputs *out;
    (void)data;
    DOES(subrosa_machine_commit(machine, 2, &out, &error));
    subrosa_outputs_free(out);
    return NULL;
}

static void tables(void) {
    subrosa_engine_cbs cbs = { sizeof cbs, hook, hook, NULL, NULL, NULL, NULL, NULL, NULL };
    subrosa_store_cbs disk = { sizeof disk, NULL, load, begin, put, end, NULL };
    static const char *names[] = { "", "house", "nobody", "Upper", "with space", "\xff", "1234567890123456789012345678901234567890123456789012345678901234x" };
    subrosa_error *error = NULL;
    size_t i;
    for (i = 0; i < sizeof names / sizeof *names; i++) {
        CHECK(subrosa_engine_new(&cbs, names[i], NULL, &error) == NULL && subrosa_error_get_fault(error) == SUBROSA_FAULT_CALLER);
        subrosa_error_free(error);
    }
    cbs.size = 8;
    CHECK(subrosa_engine_new(&cbs, "name", NULL, &error) == NULL);
    SAME(subrosa_error_get_code(error), "c.size");
    subrosa_error_free(error);
    cbs.size = sizeof cbs;
    cbs.process_outgoing_message = NULL;
    CHECK(subrosa_engine_new(&cbs, "name", NULL, &error) == NULL);
    SAME(subrosa_error_get_code(error), "c.engine-table");
    subrosa_error_free(error);
    disk.put = NULL;
    CHECK(subrosa_machine_new("a@b", &disk, &error) == NULL);
    SAME(subrosa_error_get_code(error), "c.store-table");
    subrosa_error_free(error);
    CHECK(subrosa_machine_new("", NULL, &error) == NULL);
    SAME(subrosa_error_get_code(error), "c.empty");
    subrosa_error_free(error);
}
static void values(void) {
    subrosa_send message = { sizeof message, "m", "b@c", NULL, 0, 6, NULL, NULL, 0, NULL, 0 };
    subrosa_device device = { NULL, 1, NULL };
    const char *recipients[2] = { "b@c", NULL };
    uint8_t key[32] = { 0 };
    REFUSED(subrosa_machine_send(machine, &message, &error), "c.value");
    message.kind = -1;
    REFUSED(subrosa_machine_send(machine, &message, &error), "c.value");
    message.kind = 0;
    message.body_size = 3;
    REFUSED(subrosa_machine_send(machine, &message, &error), "c.null");
    message.body_size = 0;
    message.recipients = recipients;
    message.recipient_count = 2;
    REFUSED(subrosa_machine_send(machine, &message, &error), "c.null");
    message.recipient_count = 0;
    message.header_count = 1;
    REFUSED(subrosa_machine_send(machine, &message, &error), "c.null");
    message.size = 3;
    REFUSED(subrosa_machine_send(machine, &message, &error), "c.size");
    REFUSED(subrosa_machine_send_text(machine, "m", "b@c", "\xc3(", &error), "c.text");
    REFUSED(subrosa_machine_set_trust(machine, &device, key, 0, &error), "c.null");
    device.owner = "b@c";
    REFUSED(subrosa_machine_set_trust(machine, &device, key, 4, &error), "c.value");
    REFUSED(subrosa_machine_set_trust(machine, NULL, key, 0, &error), "c.null");
    REFUSED(subrosa_machine_answer_error(machine, 1, 0, &error), "c.value");
    REFUSED(subrosa_machine_set_trust_policy(machine, 2, &error), "c.value");
    REFUSED(subrosa_set_log(6, NULL, NULL, &error), "c.value");
    REFUSED(subrosa_machine_remove(machine, "nothing", &error), "c.not-installed");
    REFUSED(subrosa_machine_remove(machine, "nobody", &error), "c.not-installed");
    REFUSED(subrosa_machine_route_all(machine, "nothing", &error), "c.not-installed");
    REFUSED(subrosa_machine_route(machine, NULL, NULL, NULL, &error), "c.null");
    REFUSED(subrosa_machine_omemo_unpublish(machine, 1, &error), "c.no-omemo");
    REFUSED(subrosa_machine_omemo_devices(machine, 1, "b@c", NULL, &error), "c.null");
    REFUSED(subrosa_machine_commit(machine, 1, NULL, &error), "c.null");
    /* An answer, a completion and an acknowledgement that nobody waits for do nothing. */
    DOES(subrosa_machine_answer(machine, 99, NULL, 0, &error));
    DOES(subrosa_machine_complete(machine, 99, "text/plain", NULL, 0, &error));
    DOES(subrosa_machine_complete(machine, 98, "text/plain", NULL, 0, &error));
    DOES(subrosa_machine_done(machine, 99, &error));
}

int main(void) {
    subrosa_engine_cbs cbs = { sizeof cbs, hook, hook, NULL, NULL, NULL, NULL, NULL, NULL };
    subrosa_store_cbs disk = { sizeof disk, NULL, load, begin, put, end, release };
    subrosa_engine *engine, *other;
    subrosa_outputs *out;
    subrosa_content *content;
    subrosa_error *error = NULL;
    pthread_t thread;
    size_t size;
    disk.user_data = &released;
    tables();
    machine = subrosa_machine_new("alice@example.org", &disk, NULL);
    engine = subrosa_engine_new(&cbs, "careful", NULL, NULL);
    CHECK(machine != NULL && engine != NULL);
    values();

    /* Of another type. */
    REFUSED(subrosa_machine_install(machine, (subrosa_engine *)machine, &error), "c.handle");
    REFUSED(subrosa_machine_install((subrosa_machine *)engine, engine, &error), "c.handle");
    DOES(subrosa_machine_install(machine, engine, &error));
    DOES(subrosa_machine_route(machine, route, NULL, NULL, &error));
    subrosa_machine_set_bell(machine, bell, NULL);

    /* Inside callbacks, and after them. */
    DOES(subrosa_machine_send_text(machine, "m", "bob@example.org", "x", &error));
    DOES(subrosa_machine_commit(machine, 1, &out, &error));
    CHECK(inside > 5 && kept_message != NULL && kept_row != NULL);
    CHECK(subrosa_message_get_body(kept_message, &size) == NULL && subrosa_message_set_body(kept_message, NULL, 0) == SUBROSA_FAULT_CALLER);
    CHECK(subrosa_message_defer(kept_message) == 0);
    CHECK(subrosa_chat_get_peer_address(kept_chat) == NULL);
    CHECK(subrosa_row_set(kept_row, NULL, 0) == SUBROSA_FAULT_CALLER);
    CHECK(subrosa_engine_get_user_data(kept_engine) == NULL);
    SAME(subrosa_engine_get_name(kept_engine), "careful");
    subrosa_engine_unref(kept_engine);
    CHECK(subrosa_engine_get_name(kept_engine) == NULL);

    /* Given back. */
    CHECK(subrosa_outputs_next(out) != SUBROSA_OUTPUT_NONE);
    subrosa_outputs_free(out);
    CHECK(subrosa_outputs_next(out) == SUBROSA_OUTPUT_NONE && subrosa_output_get_id(out) == 0 && subrosa_output_get_chat(out) == NULL);
    subrosa_outputs_free(out);
    CHECK(subrosa_engine_ref(engine) == engine);
    subrosa_engine_unref(engine);
    subrosa_engine_unref(engine);
    subrosa_engine_unref(engine); /* one too many */
    CHECK(subrosa_engine_ref(engine) == NULL && subrosa_engine_get_name(engine) == NULL);
    REFUSED(subrosa_machine_install(machine, engine, &error), "c.handle");
    content = subrosa_content_new("name", "type/x", 3, NULL);
    CHECK(subrosa_content_ref(content) == content);
    subrosa_content_unref(content);
    CHECK(subrosa_content_get_file_size(content) == 3);
    subrosa_content_unref(content);
    CHECK(subrosa_content_get_file_size(content) == 0 && subrosa_content_get_key(content) == NULL);
    subrosa_content_unref(content);
    REFUSED(subrosa_machine_offer_file(machine, "f", "bob@example.org", content, &error), "c.handle");
    CHECK(subrosa_machine_new("", NULL, &error) == NULL);
    subrosa_error_free(error);
    CHECK(subrosa_error_get_code(error) == NULL && subrosa_error_get_fault(error) == SUBROSA_FAULT_CALLER);
    subrosa_error_free(error);

    /* An engine that gives back what it was lent goes on. */
    cbs.process_outgoing_message = gives_back;
    other = subrosa_engine_new(&cbs, "careful", NULL, NULL);
    DOES(subrosa_machine_install(machine, other, &error));
    subrosa_engine_unref(other);
    DOES(subrosa_machine_send_text(machine, "m", "bob@example.org", "x", &error));
    DOES(subrosa_machine_send_text(machine, "m", "bob@example.org", "x", &error));
    CHECK(pthread_create(&thread, NULL, commits_elsewhere, NULL) == 0 && pthread_join(thread, NULL) == 0);

    CHECK(subrosa_machine_ref(machine) == machine);
    subrosa_machine_unref(machine);
    CHECK(subrosa_machine_get_waiting(machine) > 0 && released == 0);
    subrosa_machine_unref(machine);
    CHECK(released == 1 && subrosa_machine_get_waiting(machine) == 0 && subrosa_machine_ref(machine) == NULL);
    REFUSED(subrosa_machine_tick(machine, &error), "c.handle");
    REFUSED(subrosa_machine_commit(machine, 3, &out, &error), "c.handle");
    subrosa_machine_unref(machine);
    puts("ok");
    return 0;
}
