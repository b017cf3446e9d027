/* What the parts of the phone share. */
#ifndef PHONE_H
#define PHONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linphone/core.h>

/* Says one event: a line of JSON. What is not plain ASCII goes into it as hex(). */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Two digits a byte. The caller frees it. */
char *hex(const void *bytes, size_t size);

/* The bytes of such digits, followed by a NUL that is not counted. The caller frees it; NULL: these are none. */
uint8_t *unhex(const char *digits, size_t *size);

/* Sets the engine that these words describe (engines.c), or says which word it does not know. */
bool engine_set(LinphoneCore *core, char *words);

/* The same over a Subrosa machine (adapter.c): `subrosa NAME` for one that comes with the library, `subrosa-c WORDS` for engines.c
 * compiled against subrosa.h; `clear` before the name says yes to sending in clear when asked. */
bool adapter_set(LinphoneCore *core, const char *address, char *words);
void adapter_turn(void);

#endif
