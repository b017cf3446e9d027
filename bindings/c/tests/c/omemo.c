/* A client of OMEMO in C: its own store, a toy server with nodes, and a disk that fails whenever it likes. */
#include "check.h"

/* ---- a store: rows in memory, one transaction at a time ---- */
typedef struct row {
    struct row *next;
    char *key;
    uint8_t *bytes;
    size_t size;
    int deleted; /* only in a transaction */
} row;
typedef struct {
    row *rows, *staged;
    int open, loads;
} store;

/* Which call goes wrong, of all calls of this kind by anybody, and which kind. */
static struct {
    const char *kind;
    int at, count;
} fault;
static int goes_wrong(const char *kind) {
    return fault.kind != NULL && strcmp(fault.kind, kind) == 0 && ++fault.count == fault.at;
}
static void rows_free(row *r) {
    while (r != NULL) {
        row *next = r->next;
        free(r->key);
        free(r->bytes);
        free(r);
        r = next;
    }
}
static row *row_new(const char *key, const uint8_t *bytes, size_t size) {
    row *r = calloc(1, sizeof *r);
    r->key = malloc(strlen(key) + 1);
    strcpy(r->key, key);
    r->bytes = malloc(size + 1);
    if (size > 0) memcpy(r->bytes, bytes, size);
    r->size = size;
    return r;
}
static int store_load(void *user_data, const char *key, subrosa_row *found) {
    store *s = user_data;
    row *r;
    CHECK(!s->open);
    if (goes_wrong("load")) return 5;
    s->loads++;
    for (r = s->rows; r != NULL; r = r->next) {
        if (strcmp(r->key, key) == 0) return subrosa_row_set(found, r->bytes, r->size);
    }
    return 0;
}
static int store_begin(void *user_data) {
    store *s = user_data;
    CHECK(!s->open && s->staged == NULL);
    if (goes_wrong("begin")) return 11;
    s->open = 1;
    return 0;
}
static int store_put(void *user_data, const char *key, const uint8_t *bytes, size_t size) {
    store *s = user_data;
    row *r;
    CHECK(s->open);
    if (goes_wrong("put")) return 28;
    r = row_new(key, bytes, size);
    r->deleted = bytes == NULL;
    r->next = s->staged;
    s->staged = r;
    return 0;
}
static int store_end(void *user_data, int commit) {
    store *s = user_data;
    int wrong = commit && goes_wrong("end");
    CHECK(s->open);
    s->open = 0;
    while (commit && !wrong && s->staged != NULL) {
        row *r = s->staged, **at = &s->rows;
        s->staged = r->next;
        r->next = NULL;
        while (*at != NULL && strcmp((*at)->key, r->key) != 0) at = &(*at)->next;
        if (*at != NULL) {
            row *old = *at;
            *at = old->next;
            old->next = NULL;
            rows_free(old);
        }
        if (r->deleted) {
            rows_free(r);
        } else {
            r->next = s->rows;
            s->rows = r;
        }
    }
    rows_free(s->staged);
    s->staged = NULL;
    return wrong ? 28 : 0;
}

/* ---- people, a server, and what is on its way ---- */
#define ROOM "room@example.org"
typedef struct {
    const char *address;
    store disk;
    subrosa_machine *machine;
    int crashes; /* a commit that fails kills the process */
    char history[2048];
    char refused[512];
    char left_out[128];
    int devices_met, keys_changed, not_sent, sent;
    uint8_t last_key[32];
} person;
typedef struct node {
    struct node *next;
    char *owner, *name, *item;
    uint8_t *payload;
    size_t size;
} node;
typedef struct stanza {
    struct stanza *next;
    char *id, *type;
    person *from, *to;
    int kind, in_room;
    uint8_t *body;
    size_t size;
    int delivered; /* and not acknowledged: the recipient has not stored it yet */
} stanza;
static person people[2];
static node *nodes;
static stanza *stanzas;
static uint64_t now_ms;
static int plaintext_seen;

static char *copy(const char *text) {
    char *c = malloc((text ? strlen(text) : 0) + 1);
    strcpy(c, text ? text : "");
    return c;
}
static uint8_t *copy_bytes(const uint8_t *bytes, size_t size) {
    uint8_t *c = malloc(size + 1);
    if (size > 0) memcpy(c, bytes, size);
    return c;
}
static void machine_begin(person *p) {
    subrosa_store_cbs cbs = { sizeof cbs, NULL, store_load, store_begin, store_put, store_end, NULL };
    cbs.user_data = &p->disk;
    p->machine = subrosa_machine_new(p->address, &cbs, NULL);
    CHECK(p->machine != NULL);
    DOES(subrosa_machine_install_omemo(p->machine, &error));
    DOES(subrosa_machine_route_all(p->machine, "omemo", &error));
    DOES(subrosa_machine_online(p->machine, 0, &error));
}
static node **find(const char *owner, const char *name, const char *item) {
    node **at = &nodes;
    while (*at != NULL && (strcmp((*at)->owner, owner) != 0 || strcmp((*at)->name, name) != 0 || (item != NULL && strcmp((*at)->item, item) != 0))) {
        at = &(*at)->next;
    }
    return at;
}
static void node_delete(node **at) {
    node *n = *at;
    *at = n->next;
    free(n->owner);
    free(n->name);
    free(n->item);
    free(n->payload);
    free(n);
}
static void push(const char *owner, const char *name, const char *item, const uint8_t *payload, size_t size) {
    int i;
    for (i = 0; i < 2; i++) DOES(subrosa_machine_published(people[i].machine, owner, name, item, payload, size, &error));
}
static void server_does(person *p, int type, const subrosa_outputs *out) {
    uint64_t request = subrosa_output_get_request_id(out);
    const char *owner = subrosa_output_get_node_owner(out), *name = subrosa_output_get_node(out), *item = subrosa_output_get_item(out);
    subrosa_item items[64];
    size_t count = 0;
    node **at, *n;
    CHECK(request != 0 && owner != NULL && name != NULL);
    switch (type) {
    case SUBROSA_OUTPUT_FETCH:
        for (n = nodes; n != NULL; n = n->next) {
            if (strcmp(n->owner, owner) != 0 || strcmp(n->name, name) != 0 || (item != NULL && strcmp(n->item, item) != 0)) continue;
            CHECK(count < 64);
            items[count].id = n->item;
            items[count].payload = n->payload;
            items[count++].payload_size = n->size;
        }
        if (count == 0 && *find(owner, name, NULL) == NULL) {
            DOES(subrosa_machine_answer_error(p->machine, request, SUBROSA_REQUEST_ERROR_NOT_FOUND, &error));
        } else {
            DOES(subrosa_machine_answer(p->machine, request, items, count, &error));
        }
        break;
    case SUBROSA_OUTPUT_PUBLISH:
        SAME(owner, p->address);
        at = find(owner, name, subrosa_output_keeps_many(out) ? (item ? item : "") : NULL);
        if (*at != NULL) node_delete(at);
        n = calloc(1, sizeof *n);
        n->owner = copy(owner);
        n->name = copy(name);
        n->item = copy(item);
        n->payload = copy_bytes(subrosa_output_get_body(out, &n->size), 0);
        free(n->payload);
        n->payload = copy_bytes(subrosa_output_get_body(out, &n->size), n->size);
        n->next = nodes;
        nodes = n;
        DOES(subrosa_machine_answer(p->machine, request, NULL, 0, &error));
        push(owner, name, item, n->payload, n->size);
        break;
    case SUBROSA_OUTPUT_DELETE:
        SAME(owner, p->address);
        for (at = find(owner, name, item); *at != NULL; at = find(owner, name, item)) node_delete(at);
        DOES(subrosa_machine_answer(p->machine, request, NULL, 0, &error));
        push(owner, name, item, NULL, 0);
        break;
    }
}
static void server_takes(person *p, const subrosa_outputs *out) {
    stanza *s = calloc(1, sizeof *s), **end = &stanzas;
    const uint8_t *body = subrosa_output_get_body(out, &s->size);
    subrosa_device device;
    size_t i;
    s->from = p;
    s->to = p == people ? people + 1 : people;
    s->in_room = subrosa_output_is_to_room(out);
    if (s->in_room) {
        CHECK(subrosa_output_get_recipient_count(out) == 0 && !subrosa_output_get_device(out, &device));
        SAME(subrosa_output_get_chat(out), ROOM);
    } else if (subrosa_output_get_recipient_count(out) == 0) {
        CHECK(subrosa_output_get_device(out, &device) && device.number != 0 && device.name == NULL);
        SAME(device.owner, s->to->address);
    } else {
        SAME(subrosa_output_get_recipient(out, 0), s->to->address);
    }
    CHECK(!subrosa_output_is_in_clear(out));
    SAME(subrosa_output_get_content_type(out), "application/vnd.subrosa.stanza+xml");
    s->id = copy(subrosa_output_get_message_id(out));
    s->type = copy(subrosa_output_get_content_type(out));
    s->body = copy_bytes(body, s->size);
    s->body[s->size] = 0;
    s->kind = subrosa_output_get_kind(out);
    /* with the space that all texts have there and Base64 never has: four letters alone come by chance */
    for (i = 0; i + 6 < s->size; i++) plaintext_seen |= memcmp(s->body + i, " word", 5) == 0 || memcmp(s->body + i, "words ", 6) == 0;
    while (*end != NULL) end = &(*end)->next;
    *end = s;
}
static void deliver(void) {
    stanza *s;
    for (s = stanzas; s != NULL; s = s->next) {
        subrosa_receive message = { sizeof message, NULL, NULL, NULL, 0, 0, NULL, NULL, 0, NULL, 0, 0 };
        if (s->delivered) continue;
        message.message_id = s->id;
        message.chat = s->in_room ? ROOM : s->from->address;
        message.from = s->from->address;
        message.sent = now_ms;
        message.kind = s->kind;
        message.content_type = s->type;
        message.body = s->body;
        message.body_size = s->size;
        DOES(subrosa_machine_receive(s->to->machine, &message, &error));
        s->delivered = 1;
    }
}
/* What was delivered to p is in its store, or came to nothing: then it comes again. */
static void settled(person *p, int stored) {
    stanza **at = &stanzas, *s;
    while ((s = *at) != NULL) {
        if (s->to == p && s->delivered && stored) {
            *at = s->next;
            free(s->id);
            free(s->type);
            free(s->body);
            free(s);
            continue;
        }
        if (s->to == p) s->delivered = 0;
        at = &s->next;
    }
}
static void shows(person *p, const subrosa_outputs *out) {
    subrosa_sender sender;
    char line[256];
    sprintf(line, "%.20s=%.200s;", subrosa_output_get_message_id(out), subrosa_output_get_utf8_text(out));
    CHECK(subrosa_output_get_sender(out, &sender) == 1 && sender.trust == SUBROSA_TRUST_TRUSTED);
    SAME(sender.protocol, "omemo:2");
    SAME(sender.device.owner, subrosa_output_get_from(out));
    memcpy(p->last_key, sender.key, 32);
    if (strstr(p->history, line) != NULL) {
        CHECK(subrosa_output_is_again(out)); /* the history has it: told again after a crash */
        return;
    }
    CHECK(strlen(p->history) + strlen(line) < sizeof p->history);
    strcat(p->history, line);
}
static void leaves_out(person *p, const subrosa_outputs *out) {
    size_t i;
    p->left_out[0] = 0;
    for (i = 0; i < subrosa_output_get_left_out_count(out); i++) strcat(strcat(p->left_out, subrosa_output_get_left_out(out, i)), ";");
    CHECK(subrosa_output_get_left_out(out, i) == NULL);
}
/* Whether there is nothing more to do for it. */
static void acts(person *p) {
    subrosa_outputs *out = NULL;
    subrosa_error *error = NULL;
    subrosa_report report;
    subrosa_device device;
    int type;
    if (subrosa_machine_commit(p->machine, now_ms, &out, &error) != 0) {
        SAME(subrosa_error_get_code(error), "store.commit");
        CHECK(subrosa_error_get_fault(error) == SUBROSA_FAULT_STORE && out == NULL);
        CHECK(strstr(subrosa_error_get_message(error), "nothing was sent: the store's ") != NULL);
        subrosa_error_free(error);
        if (p->crashes) { /* what was only in memory is gone */
            subrosa_machine_unref(p->machine);
            machine_begin(p);
            settled(p, 0);
        }
        return;
    }
    settled(p, 1);
    while ((type = subrosa_outputs_next(out)) != SUBROSA_OUTPUT_NONE) {
        switch (type) {
        case SUBROSA_OUTPUT_TRANSMIT: server_takes(p, out); break;
        case SUBROSA_OUTPUT_FETCH:
        case SUBROSA_OUTPUT_PUBLISH:
        case SUBROSA_OUTPUT_DELETE: server_does(p, type, out); break;
        case SUBROSA_OUTPUT_MESSAGE: shows(p, out); break;
        case SUBROSA_OUTPUT_SENT:
            p->sent++;
            leaves_out(p, out);
            CHECK(subrosa_output_get_unsaid_count(out) == 0 && subrosa_output_get_unsaid(out, 0) == NULL);
            CHECK(subrosa_output_get_report_count(out) == 1 && subrosa_output_get_report(out, 0, &report) == 1);
            CHECK(report.excluded == NULL && report.sentence == NULL);
            SAME(report.protocol, "omemo:2");
            break;
        case SUBROSA_OUTPUT_NOT_SENT:
            p->not_sent++;
            leaves_out(p, out);
            strcpy(p->refused, subrosa_output_get_reason(out));
            if (subrosa_output_get_report_count(out) > 0) {
                CHECK(subrosa_output_get_report(out, 0, &report) == 1 && report.excluded != NULL);
                strcat(p->refused, "/");
                strcat(p->refused, report.excluded);
            }
            break;
        case SUBROSA_OUTPUT_NOT_RECEIVED: strcpy(p->refused, subrosa_output_get_reason(out)); break;
        case SUBROSA_OUTPUT_DEVICE_NEW:
            CHECK(subrosa_output_get_device(out, &device) == 1 && subrosa_output_get_key(out) != NULL);
            CHECK(subrosa_output_get_known_key(out) == NULL);
            p->devices_met++;
            break;
        case SUBROSA_OUTPUT_KEY_CHANGED: p->keys_changed++; break;
        case SUBROSA_OUTPUT_WAITING:
        case SUBROSA_OUTPUT_REFUSE: break;
        default: CHECK(!"an output that nobody expects");
        }
        if (subrosa_output_is_owed(out)) DOES(subrosa_machine_done(p->machine, subrosa_output_get_id(out), &error));
    }
    subrosa_outputs_free(out);
}
static void run(void) {
    int turns = 0;
    do {
        acts(people);
        acts(people + 1);
        deliver();
        CHECK(++turns < 500);
    } while (subrosa_machine_get_waiting(people[0].machine) + subrosa_machine_get_waiting(people[1].machine) > 0);
}
static void world_begin(int crashes) {
    int i;
    memset(people, 0, sizeof people);
    people[0].address = "alice@example.org";
    people[1].address = "bob@example.org";
    now_ms = 1700000000000u;
    for (i = 0; i < 2; i++) {
        people[i].crashes = crashes;
        machine_begin(people + i);
    }
}
static void world_end(void) {
    int i;
    for (i = 0; i < 2; i++) {
        subrosa_machine_unref(people[i].machine);
        rows_free(people[i].disk.rows);
    }
    while (nodes != NULL) node_delete(&nodes);
    CHECK(stanzas == NULL && !plaintext_seen);
}

/* A conversation. What is sent is given to the machine until its commit worked: an application that waits for a crashed one asks again. */
static void says(person *p, const char *id, const char *text) {
    int sent = p->sent;
    do {
        DOES(subrosa_machine_send_text(p->machine, id, p == people ? people[1].address : people[0].address, text, &error));
        run();
    } while (p->sent == sent && p->not_sent == 0);
}
static void conversation(void) {
    int i;
    run();
    says(people, "a1", "words of alice");
    says(people + 1, "b1", "words of bob");
    says(people, "a2", "more words");
    says(people + 1, "b2", "and more words");
    says(people + 1, "b3", "the last word");
    SAME(people[0].history, "b1=words of bob;b2=and more words;b3=the last word;");
    SAME(people[1].history, "a1=words of alice;a2=more words;");
    /* What is on the disks is all there is. */
    fault.kind = NULL;
    for (i = 0; i < 2; i++) {
        subrosa_machine_unref(people[i].machine);
        machine_begin(people + i);
        people[i].history[0] = 0;
    }
    run();
    says(people, "a3", "words after a night");
    says(people + 1, "b4", "words of the morning");
    SAME(people[0].history, "b4=words of the morning;");
    SAME(people[1].history, "a3=words after a night;");
    CHECK(people[0].not_sent == 0 && people[1].not_sent == 0 && people[0].keys_changed == 0 && people[1].keys_changed == 0);
}

/* What a client shows and decides. */
static void device_of(person *p, const char *owner, subrosa_device_info *info, subrosa_devices **list) {
    DOES(subrosa_machine_omemo_devices(p->machine, now_ms, owner, list, &error));
    CHECK(subrosa_devices_get_count(*list) == 1 && subrosa_devices_get(*list, 0, info) == 1 && subrosa_devices_get(*list, 1, info) == 0);
    SAME(info->device.owner, owner);
}
static void trust(void) {
    person *alice = people, *bob = people + 1;
    subrosa_device_info info, own;
    subrosa_devices *list, *own_list;
    int published = 0;
    DOES(subrosa_machine_omemo_is_published(bob->machine, now_ms, &published, &error));
    CHECK(published == 1);
    device_of(alice, bob->address, &info, &list);
    device_of(bob, bob->address, &own, &own_list);
    CHECK(info.device.number == own.device.number && memcmp(info.key, own.key, 32) == 0 && memcmp(info.key, alice->last_key, 32) == 0);
    CHECK(own.this_device && !info.this_device && info.listed && info.has_session && info.trust == SUBROSA_TRUST_TRUSTED);
    CHECK(info.last_heard == now_ms);
    DOES(subrosa_machine_set_trust(alice->machine, &info.device, info.key, SUBROSA_TRUST_UNTRUSTED, &error));
    run();
    DOES(subrosa_machine_send_text(alice->machine, "a9", bob->address, "no word", &error));
    run();
    CHECK(alice->not_sent == 1);
    SAME(alice->refused, "no-device/untrusted");
    DOES(subrosa_machine_set_trust(alice->machine, &info.device, info.key, SUBROSA_TRUST_VERIFIED, &error));
    alice->not_sent = 0;
    says(alice, "a10", "a word again");
    CHECK(strstr(bob->history, "a10=a word again;") != NULL);
    DOES(subrosa_machine_omemo_replace_session(alice->machine, now_ms, &info.device, &error));
    DOES(subrosa_machine_omemo_refresh_devices(alice->machine, now_ms, bob->address, &error));
    run();
    says(alice, "a11", "a word anew");
    CHECK(strstr(bob->history, "a11=a word anew;") != NULL);
    subrosa_devices_free(list);
    subrosa_devices_free(own_list);
    DOES(subrosa_machine_omemo_unpublish(bob->machine, now_ms, &error));
    run();
    DOES(subrosa_machine_omemo_is_published(bob->machine, now_ms, &published, &error));
    CHECK(published == 0);
    /* Prekeys are changed some day. */
    CHECK(subrosa_machine_wake_at(alice->machine) > now_ms);
    now_ms = subrosa_machine_wake_at(alice->machine);
    DOES(subrosa_machine_tick(alice->machine, &error));
    DOES(subrosa_machine_catch_up(alice->machine, 1, &error));
    DOES(subrosa_machine_catch_up(alice->machine, 0, &error));
    run();
}
static void by_hand(void) {
    subrosa_device_info info;
    subrosa_devices *list;
    world_begin(0);
    DOES(subrosa_machine_set_trust_policy(people[0].machine, SUBROSA_TRUST_POLICY_MANUAL, &error));
    DOES(subrosa_machine_set_patience(people[0].machine, 60000, &error));
    run();
    DOES(subrosa_machine_send_text(people[0].machine, "a1", people[1].address, "no word yet", &error));
    run();
    SAME(people[0].refused, "no-device/undecided");
    device_of(people, people[1].address, &info, &list);
    DOES(subrosa_machine_set_trust(people[0].machine, &info.device, info.key, SUBROSA_TRUST_TRUSTED, &error));
    subrosa_devices_free(list);
    people[0].not_sent = 0;
    says(people, "a2", "a word now");
    SAME(people[1].history, "a2=a word now;");
    world_end();
}

/* A room with somebody who has no keys. */
static void room(void) {
    const char *members[] = { "alice@example.org", "bob@example.org", "carol@example.org" };
    subrosa_send message = { sizeof message, "r1", ROOM, NULL, 0, 0, NULL, NULL, 0, NULL, 0 };
    int i;
    world_begin(0);
    run();
    message.body = (const uint8_t *)"words for all";
    message.body_size = 13;
    DOES(subrosa_machine_send_to_room(people[0].machine, &message, &error));
    run();
    SAME(people[0].refused, "not-in-room");
    for (i = 0; i < 2; i++) DOES(subrosa_machine_set_room(people[i].machine, ROOM, members, 3, &error));
    DOES(subrosa_machine_send_to_room(people[0].machine, &message, &error));
    run();
    CHECK(people[0].sent == 0 && people[0].not_sent == 2);
    SAME(people[0].refused, "members-without-keys");
    SAME(people[0].left_out, "carol@example.org;");
    DOES(subrosa_machine_leave_out(people[0].machine, ROOM, 1, &error));
    DOES(subrosa_machine_send_to_room(people[0].machine, &message, &error));
    run();
    CHECK(people[0].sent == 1);
    SAME(people[0].left_out, "carol@example.org;");
    SAME(people[1].history, "r1=words for all;");
    message.message_id = "r2";
    DOES(subrosa_machine_leave_out(people[1].machine, ROOM, 1, &error));
    DOES(subrosa_machine_send_to_room(people[1].machine, &message, &error));
    run();
    SAME(people[0].history, "r2=words for all;");
    message.message_id = "r3";
    DOES(subrosa_machine_room_unknown(people[1].machine, ROOM, &error));
    DOES(subrosa_machine_send_to_room(people[1].machine, &message, &error));
    run();
    SAME(people[0].history, "r2=words for all;");
    DOES(subrosa_machine_set_room(people[1].machine, ROOM, members, 3, &error));
    run();
    SAME(people[0].history, "r2=words for all;r3=words for all;");
    message.message_id = "r4";
    DOES(subrosa_machine_unset_room(people[1].machine, ROOM, &error));
    DOES(subrosa_machine_send_to_room(people[1].machine, &message, &error));
    run();
    SAME(people[1].refused, "not-in-room");
    world_end();
}

/* At every call of every kind, or at every so many; a program that goes on, and one that dies. */
static int with_faults(const char *kind, int crashes, int step) {
    int at, met;
    for (at = 1;; at += step) {
        fault.kind = kind;
        fault.at = at;
        fault.count = 0;
        world_begin(crashes);
        conversation();
        met = fault.count >= at;
        fault.kind = NULL;
        world_end();
        if (!met) return at;
    }
}

int main(int count, char **arguments) {
    static const char *kinds[] = { "load", "begin", "put", "end" };
    int thorough = count > 1 && strcmp(arguments[1], "thorough") == 0, i, crashes;
    world_begin(0);
    conversation();
    trust();
    world_end();
    room();
    if (count > 1) {
        by_hand();
        for (i = thorough ? 0 : 3; i < 4; i++) {
            for (crashes = 0; crashes < 2; crashes++) {
                int step = i == 1 || i == 3 ? 1 : 17, calls = with_faults(kinds[i], crashes, thorough ? step : 1000);
                CHECK(calls > (thorough ? 10 : 1));
            }
        }
    }
    puts("ok");
    return 0;
}
