/* What the two halves of the adapter share: messages (messages.c) and files (files.c). */
#ifndef SUBROSA_LINPHONE_PRIVATE_H
#define SUBROSA_LINPHONE_PRIVATE_H

#include <stdbool.h>

#include "subrosa_linphone.h"

#define OFFER_TYPE "application/vnd.gsma.rcs-ft-http+xml"

/* A message of which the machine has not said everything yet, or of which Liblinphone has not heard it. */
struct job {
	struct job *next;
	LinphoneChatMessage *message; /* referenced while `later` */
	char *id;
	enum way { OUTGOING, INCOMING, UPLOAD, TOLD } way; /* TOLD: all that is left is to tell the application */
	bool later; /* Liblinphone was told to wait, or the application is to be told */
	enum { OPEN, DONE, NOTHING, REFUSED } state;
	int status; /* REFUSED: 300 to 699 */
	bool clear; /* DONE: in clear, as a person chose */
	char *type;
	uint8_t *body;
	size_t size;
	subrosa_content *file; /* UPLOAD */
	subrosa_cipher *cipher;
	bool came;                   /* what is to be told is about a message that came */
	char *sentence;              /* REFUSED: why */
	subrosa_question *question;
};

/* A file on its way. Liblinphone's callbacks name it by its message. */
struct transfer {
	struct transfer *next;
	LinphoneChatMessage *message; /* referenced */
	bool up, clear, ended;
	int failed; /* 300 to 699; 0: not */
	const char *why; /* in words, or NULL */
	size_t offset;
	subrosa_content *file;
	subrosa_cipher *cipher;
	bool swept, told; /* its failure has been seen to, the application has been told of it */
};

struct subrosa_linphone {
	LinphoneCore *core;
	LinphoneImEncryptionEngine *engine;
	subrosa_machine *machine;
	subrosa_linphone_cbs cbs;
	void *user_data;
	struct job *jobs;
	struct transfer *transfers;
	unsigned long long run, count; /* make ids */
	int inside;                    /* how deep in callbacks of ours */
	bool committing;
};

/* messages.c */
struct job *job_new(subrosa_linphone *adapter, LinphoneChatMessage *message, enum way way, const char *id);
void job_free(subrosa_linphone *adapter, struct job *job);
void job_refuse(struct job *job, int status);
/* Answered: goes, or stays until the application has been told why not. That is in the next turn, and in no callback of Liblinphone's. */
void job_end(subrosa_linphone *adapter, struct job *job);
/* An id that nobody else has. The caller frees it. */
char *fresh_id(subrosa_linphone *adapter);
/* "sip:user@domain". The caller frees it. */
char *plain_address(const LinphoneAddress *address);
/* Runs the machine; what it wants done is then in the jobs. */
void commit(subrosa_linphone *adapter);
void log_error(const char *what, subrosa_error *error);

/* files.c */
void files_set(LinphoneImEncryptionEngineCbs *cbs);
/* The status with which a message must not leave because its file did not; 0: it may. */
int files_refusal(subrosa_linphone *adapter, LinphoneChatMessage *message);
/* What failed is cancelled and taken from the disk, what ended is forgotten. */
void files_sweep(subrosa_linphone *adapter);
void files_forget(subrosa_linphone *adapter);
/* The XML that offers a file, as it travels and as Liblinphone keeps it: here the tag stands behind the key, there for itself. The
 * caller frees it; NULL: there is nothing to change. */
char *offer_to_wire(const char *xml);
char *offer_from_wire(const char *xml);

#endif
