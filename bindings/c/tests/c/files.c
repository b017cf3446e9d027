/* Files through the two chunk hooks: a cipher of the table, pieces of any size, a tag, and what may go wrong on the way. */
#include "people.h"
#include <pthread.h>

/* A toy: XOR with the key, and a tag that depends on every byte and its place. */
typedef struct {
    uint64_t sum;
    size_t expected_offset;
} transfer;
static int transfers = 0;
static int shrinks = 0, refuses_at = 0, overruns = 0, nonsense = 0, makes_no_key = 0, files_off = 0;
static size_t keys = 0;

static void transfer_gone(void *t) {
    transfers--;
    free(t);
}
static transfer *of(subrosa_content *file) {
    transfer *t = subrosa_content_get_user_data(file);
    if (t == NULL) {
        t = calloc(1, sizeof *t);
        transfers++;
        subrosa_content_set_user_data(file, t, transfer_gone);
    }
    return t;
}
static void sum(transfer *t, size_t offset, const uint8_t *plain, size_t size) {
    size_t i;
    for (i = 0; i < size; i++) t->sum = t->sum * 1099511628211u + (plain[i] ^ (uint8_t)(offset + i)) + 1;
}
static void turn(const uint8_t *key, size_t offset, const uint8_t *from, uint8_t *to, size_t size) {
    size_t i;
    for (i = 0; i < size; i++) to[i] = from[i] ^ key[(offset + i) % 32];
}
static void tag_of(const transfer *t, uint8_t *tag) {
    int i;
    for (i = 0; i < 16; i++) tag[i] = (uint8_t)(t->sum >> (i % 8 * 8)) ^ (uint8_t)i;
}
static int is_encryption_enabled_for_file_transfer(subrosa_engine *engine, subrosa_chat *room) {
    (void)engine;
    CHECK(subrosa_chat_get_peer_address(room) != NULL);
    return !files_off;
}
static void generate_file_transfer_key(subrosa_engine *engine, subrosa_chat *room, subrosa_message *msg) {
    uint8_t key[32];
    subrosa_content *file = subrosa_message_get_file_transfer_information(msg);
    CHECK(engine != NULL && subrosa_message_get_chat(msg) == room);
    CHECK(subrosa_message_defer(msg) == 0); /* not here */
    CHECK(file != NULL && subrosa_content_get_key(file) == NULL && subrosa_content_get_key_size(file) == 0);
    if (makes_no_key) return;
    memset(key, (int)++keys * 37, sizeof key);
    CHECK(subrosa_content_set_key(file, key, sizeof key) == 0);
    memset(key, 0, sizeof key); /* it was copied */
}
static int process_uploading_file(subrosa_engine *engine, subrosa_message *msg, size_t offset, const uint8_t *buffer, size_t *size, uint8_t *encrypted_buffer) {
    subrosa_content *file = subrosa_message_get_file_transfer_information(msg);
    transfer *t = of(file);
    uint8_t tag[16];
    CHECK(engine != NULL && subrosa_message_get_chat(msg) == NULL && subrosa_message_get_message_id(msg) == NULL);
    if (buffer == NULL) {
        CHECK(size == NULL && encrypted_buffer == NULL && offset == 0);
        CHECK(t->expected_offset == subrosa_content_get_file_size(file));
        tag_of(t, tag);
        return subrosa_content_set_tag(file, tag, sizeof tag);
    }
    CHECK(*size > 0 && offset == t->expected_offset);
    if (refuses_at && offset + *size > (size_t)refuses_at) return 486;
    if (overruns) {
        *size += 1;
        return 0;
    }
    if (nonsense) return nonsense;
    if (shrinks && offset + *size < subrosa_content_get_file_size(file)) *size -= *size % 16;
    sum(t, offset, buffer, *size);
    turn(subrosa_content_get_key(file), offset, buffer, encrypted_buffer, *size);
    t->expected_offset += *size;
    return 0;
}
static int process_downloading_file(subrosa_engine *engine, subrosa_message *msg, size_t offset, const uint8_t *buffer, size_t size, uint8_t *decrypted_buffer) {
    subrosa_content *file = subrosa_message_get_file_transfer_information(msg);
    transfer *t = of(file);
    uint8_t tag[16];
    const uint8_t *theirs;
    size_t tag_size;
    CHECK(engine != NULL);
    if (buffer == NULL) {
        CHECK(size == 0 && decrypted_buffer == NULL && offset == 0);
        theirs = subrosa_content_get_tag(file, &tag_size);
        tag_of(t, tag);
        return theirs != NULL && tag_size == sizeof tag && memcmp(theirs, tag, sizeof tag) == 0 ? 0 : 488;
    }
    CHECK(size > 0 && offset == t->expected_offset);
    CHECK(size % 16 == 0 || offset + size == subrosa_content_get_file_size(file));
    if (refuses_at && offset + size > (size_t)refuses_at) return 486;
    turn(subrosa_content_get_key(file), offset, buffer, decrypted_buffer, size);
    sum(t, offset, decrypted_buffer, size);
    t->expected_offset += size;
    return 0;
}
static int skip(subrosa_engine *engine, subrosa_chat *room, subrosa_message *msg) {
    (void)engine;
    (void)room;
    (void)msg;
    return -1;
}

static person alice, bob;

/* Drives a cipher over a whole file, in pieces of at most this size. What came out, or NULL: the error that ended it. */
static uint8_t *drive(subrosa_cipher *cipher, const uint8_t *bytes, size_t size, size_t piece, subrosa_content *file, size_t *out_size, subrosa_error **error) {
    uint8_t *all = malloc(size + 64);
    const uint8_t *out;
    size_t at = 0, out_now, taken;
    *out_size = 0;
    while (at < size) {
        size_t now = size - at < piece ? size - at : piece;
        if (subrosa_cipher_chunk(cipher, bytes + at, now, &taken, &out, &out_now, error) != 0) {
            CHECK(out == NULL && out_now == 0);
            free(all);
            return NULL;
        }
        CHECK(taken <= now && *out_size + out_now <= size + 64);
        memcpy(all + *out_size, out, out_now);
        *out_size += out_now;
        at += taken;
        if (taken == 0) piece += 16; /* it needs more at once */
    }
    if (subrosa_cipher_finish(cipher, file, &out, &out_now, error) != 0) {
        free(all);
        return NULL;
    }
    memcpy(all + *out_size, out, out_now);
    *out_size += out_now;
    return all;
}
static void offer(const char *id, size_t size) {
    subrosa_content *file = subrosa_content_new("../notes.txt", "text/plain", size, NULL);
    DOES(subrosa_machine_offer_file(alice.machine, id, bob.address, file, &error));
    subrosa_content_unref(file);
    person_acts(&alice);
}
/* What the message about the file would carry. */
static subrosa_content *offered(const subrosa_content *sent) {
    subrosa_content *file = subrosa_content_new(subrosa_content_get_name(sent), subrosa_content_get_type(sent), subrosa_content_get_file_size(sent), NULL);
    size_t size;
    const uint8_t *tag = subrosa_content_get_tag(sent, &size);
    CHECK(subrosa_content_set_key(file, subrosa_content_get_key(sent), subrosa_content_get_key_size(sent)) == 0);
    CHECK(subrosa_content_set_tag(file, tag, size) == 0);
    return file;
}
static uint8_t *a_file(size_t size) {
    uint8_t *bytes = malloc(size + 1);
    size_t i;
    for (i = 0; i < size; i++) bytes[i] = (uint8_t)(i * 31 + i / 255);
    return bytes;
}
static void there_and_back(size_t size, size_t piece, size_t other_piece) {
    uint8_t *bytes = a_file(size), *wire, *back;
    size_t wire_size, back_size;
    subrosa_error *error = NULL;
    subrosa_content *file;
    subrosa_cipher *down;
    offer("f", size);
    HAPPENED(&alice, "upload encrypted; ");
    SAME(subrosa_content_get_name(alice.file), "../notes.txt");
    wire = drive(alice.cipher, bytes, size, piece, alice.file, &wire_size, &error);
    CHECK(wire != NULL && wire_size == size && (size < 16 || memcmp(wire, bytes, size) != 0));
    file = offered(alice.file);
    down = subrosa_machine_download(bob.machine, alice.address, file, NULL);
    CHECK(down != NULL);
    back = drive(down, wire, wire_size, other_piece, NULL, &back_size, &error);
    CHECK(back != NULL && back_size == size && memcmp(back, bytes, size) == 0);
    CHECK(subrosa_cipher_chunk(down, bytes, 1, &back_size, NULL, NULL, NULL) == SUBROSA_FAULT_CALLER); /* it ended */
    subrosa_cipher_free(down);
    free(back);
    if (size > 0) { /* changed on the way */
        wire[size / 2] ^= 1;
        down = subrosa_machine_download(bob.machine, alice.address, file, NULL);
        back = drive(down, wire, wire_size, other_piece, NULL, &back_size, &error);
        CHECK(back == NULL && subrosa_error_get_status(error) == 488 && subrosa_error_get_fault(error) == SUBROSA_FAULT_PEER);
        SAME(subrosa_error_get_code(error), "file.refused");
        subrosa_error_free(error);
        subrosa_cipher_free(down);
    }
    subrosa_content_unref(file);
    free(wire);
    free(bytes);
}
static void ends_with(int status, const char *code) {
    uint8_t *bytes = a_file(50001);
    size_t size;
    subrosa_error *error = NULL;
    offer("f", 50001);
    HAPPENED(&alice, "upload encrypted; ");
    CHECK(drive(alice.cipher, bytes, 50001, 16306, alice.file, &size, &error) == NULL);
    SAME(subrosa_error_get_code(error), code);
    CHECK(subrosa_error_get_status(error) == status);
    subrosa_error_free(error);
    CHECK(subrosa_cipher_finish(alice.cipher, alice.file, NULL, NULL, &error) == SUBROSA_FAULT_CALLER); /* it ended */
    SAME(subrosa_error_get_code(error), "c.ended");
    subrosa_error_free(error);
    free(bytes);
}
static void two_at_once(void) {
    uint8_t *bytes = a_file(1000);
    subrosa_content *files[2];
    subrosa_cipher *ciphers[2];
    uint8_t wires[2][1000];
    const uint8_t *out;
    size_t i, taken, size;
    for (i = 0; i < 2; i++) {
        offer(i ? "one" : "two", 1000);
        files[i] = subrosa_content_ref(alice.file);
        ciphers[i] = alice.cipher;
        alice.cipher = NULL;
    }
    for (i = 0; i < 20; i++) {
        DOES(subrosa_cipher_chunk(ciphers[i % 2], bytes + i / 2 * 100, 100, &taken, &out, &size, &error));
        CHECK(taken == 100 && size == 100);
        memcpy(wires[i % 2] + i / 2 * 100, out, 100);
    }
    CHECK(memcmp(wires[0], wires[1], 1000) != 0);
    for (i = 0; i < 2; i++) {
        subrosa_content *file;
        subrosa_cipher *down;
        uint8_t *back;
        subrosa_error *error = NULL;
        DOES(subrosa_cipher_finish(ciphers[i], files[i], &out, &size, &error));
        file = offered(files[i]);
        down = subrosa_machine_download(bob.machine, alice.address, file, NULL);
        back = drive(down, wires[i], 1000, 333, NULL, &size, &error);
        CHECK(back != NULL && memcmp(back, bytes, 1000) == 0);
        free(back);
        subrosa_cipher_free(down);
        down = subrosa_machine_download(bob.machine, alice.address, file, NULL);
        CHECK(drive(down, wires[1 - i], 1000, 333, NULL, &size, &error) == NULL); /* the other's bytes are not this file's */
        subrosa_error_free(error);
        subrosa_cipher_free(down);
        subrosa_content_unref(file);
        subrosa_cipher_free(ciphers[i]);
        subrosa_content_unref(files[i]);
    }
    alice.diary[0] = 0;
    free(bytes);
}
/* The cipher outlives machine and engine, on another thread. */
static void *finish_elsewhere(void *cipher) {
    uint8_t byte = 7;
    const uint8_t *out;
    size_t size, taken;
    DOES(subrosa_cipher_chunk(cipher, &byte, 1, &taken, &out, &size, &error));
    CHECK(taken == 1 && size == 1 && out[0] != 7);
    DOES(subrosa_cipher_finish(cipher, NULL, &out, &size, &error));
    return NULL;
}

int main(void) {
    static const size_t sizes[] = { 0, 1, 15, 16, 17, 4096, 50001 };
    subrosa_engine_cbs cbs = { sizeof cbs, skip, skip, NULL, NULL, NULL, NULL, NULL, NULL };
    subrosa_engine *engine;
    subrosa_content *file;
    subrosa_cipher *cipher;
    subrosa_error *error = NULL;
    pthread_t thread;
    size_t i, size, taken;
    uint8_t *out, *bytes;
    const uint8_t *piece;
    cbs.is_encryption_enabled_for_file_transfer = is_encryption_enabled_for_file_transfer;
    cbs.generate_file_transfer_key = generate_file_transfer_key;
    cbs.process_uploading_file = process_uploading_file;
    cbs.process_downloading_file = process_downloading_file;
    person_begin(&alice, "alice@example.org", &bob);
    person_begin(&bob, "bob@example.org", &alice);
    engine = subrosa_engine_new(&cbs, "files", NULL, NULL);
    person_has(&alice, engine);
    person_has(&bob, engine);
    subrosa_engine_unref(engine);

    for (shrinks = 0; shrinks < 2; shrinks++) {
        for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            there_and_back(sizes[i], 16306, 65536);
            there_and_back(sizes[i], 100, 7);
        }
        there_and_back(4096, 1, 4096);
    }
    shrinks = 0;
    two_at_once();

    refuses_at = 30000;
    ends_with(486, "file.refused");
    refuses_at = 0;
    overruns = 1;
    ends_with(500, "file.refused");
    overruns = 0;
    for (i = 0; i < 4; i++) {
        static const int codes[] = { -1, 1, 200, 700 };
        nonsense = codes[i];
        ends_with(500, "file.refused");
    }
    nonsense = 0;

    /* A download that is refused on its way. */
    offer("f", 50001);
    bytes = a_file(50001);
    out = drive(alice.cipher, bytes, 50001, 16306, alice.file, &size, &error);
    free(bytes);
    file = offered(alice.file);
    cipher = subrosa_machine_download(bob.machine, alice.address, file, NULL);
    refuses_at = 30000;
    CHECK(drive(cipher, out, size, 4000, NULL, &size, &error) == NULL && subrosa_error_get_status(error) == 486);
    refuses_at = 0;
    subrosa_error_free(error);
    subrosa_cipher_free(cipher);
    /* Bytes that were offered and not taken must be offered again before the final call. */
    shrinks = 1;
    offer("f", 50001);
    DOES(subrosa_cipher_chunk(alice.cipher, out, 17, &taken, &piece, &size, &error));
    CHECK(taken == 16 && size == 16);
    CHECK(subrosa_cipher_finish(alice.cipher, alice.file, &piece, &size, &error) == SUBROSA_FAULT_CALLER);
    SAME(subrosa_error_get_code(error), "file.left-over");
    subrosa_error_free(error);
    shrinks = 0;
    free(out);
    subrosa_content_unref(file);

    /* No key, no tag, no file in clear. */
    alice.diary[0] = 0;
    makes_no_key = 1;
    offer("f", 1);
    HAPPENED(&alice, "not-sent 500 engine; ");
    makes_no_key = 0;
    files_off = 1;
    offer("f", 1);
    HAPPENED(&alice, "not-sent 488 not-encrypted; ");
    DOES(subrosa_question_confirmed_by_user(alice.question, alice.machine, &error));
    subrosa_cipher_free(alice.cipher);
    alice.cipher = NULL;
    offer("f", 1);
    HAPPENED(&alice, "upload; ");
    CHECK(alice.cipher == NULL && subrosa_content_get_key(alice.file) == NULL);
    files_off = 0;
    file = subrosa_content_new("n", "t", 1, NULL);
    CHECK(subrosa_machine_download(bob.machine, alice.address, file, &error) == NULL);
    SAME(subrosa_error_get_code(error), "c.null");
    subrosa_error_free(error);
    CHECK(subrosa_content_set_tag(file, (const uint8_t *)"short", 5) == SUBROSA_FAULT_CALLER);
    CHECK(subrosa_content_set_key(file, (const uint8_t *)"", 0) == SUBROSA_FAULT_CALLER);
    subrosa_content_unref(file);

    offer("f", 1);
    cipher = alice.cipher;
    alice.cipher = NULL;
    person_end(&alice);
    person_end(&bob);
    CHECK(pthread_create(&thread, NULL, finish_elsewhere, cipher) == 0 && pthread_join(thread, NULL) == 0);
    subrosa_cipher_free(cipher);
    CHECK(transfers == 0);
    puts("ok");
    return 0;
}
