/* Two people and the network between them, for engines without devices. What happens to each is written down as text. */
#ifndef PEOPLE_H
#define PEOPLE_H
#include "check.h"

typedef struct person {
    subrosa_machine *machine;
    const char *address;
    struct person *peer;
    /* What happened since the last look: "message text/plain hello; " */
    char diary[4096];
    /* What left last. */
    char wire_type[128];
    uint8_t wire[4096];
    size_t wire_size;
    /* A network that changes the first byte of what it carries. */
    int spoiled;
    /* The question of the last message that was not sent. */
    subrosa_question *question;
    /* The last file to upload. */
    subrosa_content *file;
    subrosa_cipher *cipher;
} person;

static uint64_t now_ms = 1700000000000u;
static const uint64_t HOLD = 10000;

static void person_begin(person *p, const char *address, person *peer) {
    memset(p, 0, sizeof *p);
    p->address = address;
    p->peer = peer;
    p->machine = subrosa_machine_new(address, NULL, NULL);
    CHECK(p->machine != NULL);
    subrosa_machine_set_user_data(p->machine, p);
    CHECK(subrosa_machine_get_user_data(p->machine) == p);
}
static void person_end(person *p) {
    subrosa_question_free(p->question);
    subrosa_content_unref(p->file);
    subrosa_cipher_free(p->cipher);
    subrosa_machine_unref(p->machine);
}
static void person_has(person *p, subrosa_engine *engine) {
    DOES(subrosa_machine_install(p->machine, engine, &error));
    DOES(subrosa_machine_route_all(p->machine, subrosa_engine_get_name(engine), &error));
}
static void note(person *p, const char *a, const char *b, const char *c) {
    size_t at = strlen(p->diary);
    CHECK(at + 3 + strlen(a) + strlen(b) + strlen(c) + 3 < sizeof p->diary);
    sprintf(p->diary + at, "%s%s%s%s%s; ", a, *b ? " " : "", b, *c ? " " : "", c);
}
static void note_code(person *p, const char *what, int code, const char *reason) {
    char number[16];
    sprintf(number, "%d", code);
    note(p, what, number, reason);
}
static void carry(person *p, const subrosa_outputs *out) {
    subrosa_receive message = { sizeof message, NULL, NULL, NULL, 0, 0, NULL, NULL, 0, NULL, 0, 0 };
    subrosa_header header;
    const uint8_t *body = subrosa_output_get_body(out, &p->wire_size);
    CHECK(p->wire_size <= sizeof p->wire);
    memcpy(p->wire, body, p->wire_size);
    strcpy(p->wire_type, subrosa_output_get_content_type(out));
    CHECK(subrosa_output_get_recipient_count(out) == 1);
    SAME(subrosa_output_get_recipient(out, 0), p->peer->address);
    CHECK(subrosa_output_get_part(out) == 0);
    if (p->spoiled && p->wire_size > 0) p->wire[0] ^= 1;
    message.message_id = subrosa_output_get_message_id(out);
    message.chat = p->address;
    message.sent = now_ms;
    message.kind = subrosa_output_get_kind(out);
    message.content_type = p->wire_type;
    message.body = p->wire;
    message.body_size = p->wire_size;
    message.answer_by = now_ms + HOLD;
    if (subrosa_output_get_header_count(out) > 0) {
        header.name = subrosa_output_get_header_name(out, 0);
        header.value = subrosa_output_get_header_value(out, 0);
        message.headers = &header;
        message.header_count = 1;
    }
    if (subrosa_output_is_in_clear(out)) note(p, "leaves-in-clear", "", "");
    DOES(subrosa_machine_receive(p->peer->machine, &message, &error));
}
static void person_acts(person *p) {
    subrosa_outputs *out = NULL;
    int type;
    DOES(subrosa_machine_commit(p->machine, now_ms, &out, &error));
    while ((type = subrosa_outputs_next(out)) != SUBROSA_OUTPUT_NONE) {
        switch (type) {
        case SUBROSA_OUTPUT_TRANSMIT: carry(p, out); break;
        case SUBROSA_OUTPUT_ACCEPT: note(p, "accept", "", ""); break;
        case SUBROSA_OUTPUT_REFUSE: note_code(p, "refuse", subrosa_output_get_status(out), ""); break;
        case SUBROSA_OUTPUT_SENT: note(p, "sent", "", ""); break;
        case SUBROSA_OUTPUT_WAITING: note(p, "waiting", "", ""); break;
        case SUBROSA_OUTPUT_MESSAGE: {
            const char *text = subrosa_output_get_utf8_text(out);
            size_t size;
            CHECK(subrosa_output_get_body(out, &size) != NULL);
            SAME(subrosa_output_get_from(out), p->peer->address);
            CHECK(subrosa_output_get_time(out) == now_ms || subrosa_output_get_time(out) < now_ms);
            note(p, subrosa_output_is_in_clear(out) ? "message-in-clear" : "message", subrosa_output_get_content_type(out), text ? text : "(bytes)");
            break;
        }
        case SUBROSA_OUTPUT_NOT_SENT:
            note_code(p, "not-sent", subrosa_output_get_status(out), subrosa_output_get_reason(out));
            subrosa_question_free(p->question);
            p->question = subrosa_output_take_question(out);
            CHECK(subrosa_output_take_question(out) == NULL);
            CHECK(strlen(subrosa_output_get_sentence(out)) > 10);
            break;
        case SUBROSA_OUTPUT_NOT_RECEIVED: break; /* REFUSE says the same */
        case SUBROSA_OUTPUT_UPLOAD:
            subrosa_content_unref(p->file);
            subrosa_cipher_free(p->cipher);
            p->file = subrosa_output_get_file(out);
            p->cipher = subrosa_output_take_cipher(out);
            note(p, "upload", subrosa_output_is_in_clear(out) ? "" : "encrypted", "");
            break;
        default: CHECK(!"an output that nobody expects");
        }
        if (subrosa_output_is_owed(out)) DOES(subrosa_machine_done(p->machine, subrosa_output_get_id(out), &error));
    }
    CHECK(subrosa_output_get_chat(out) == NULL);
    subrosa_outputs_free(out);
}
/* What happened to p since the last look. */
static void happened(const char *file, int line, person *p, const char *expected) {
    same(file, line, p->diary, expected);
    p->diary[0] = 0;
}
#define HAPPENED(p, expected) happened(__FILE__, __LINE__, p, expected)
#endif
