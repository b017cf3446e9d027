/* What all programs here begin with: a check that says where it failed. */
#ifndef CHECK_H
#define CHECK_H
#include "subrosa.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what) \
    do { \
        if (!(what)) { \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
            exit(1); \
        } \
    } while (0)
#define SAME(text, expected) same(__FILE__, __LINE__, text, expected)
/* For calls with a place for an error. */
#define DOES(call) \
    do { \
        subrosa_error *error = NULL; \
        if ((call) != 0) { \
            fprintf(stderr, "%s:%d: %s: %s (%s)\n", __FILE__, __LINE__, #call, subrosa_error_get_message(error), subrosa_error_get_code(error)); \
            exit(1); \
        } \
        CHECK(error == NULL); \
    } while (0)

static void same(const char *file, int line, const char *text, const char *expected) {
    if (text == NULL || strcmp(text, expected) != 0) {
        fprintf(stderr, "%s:%d: there is\n  %s\nnot\n  %s\n", file, line, text ? text : "NULL", expected);
        exit(1);
    }
}
#endif
