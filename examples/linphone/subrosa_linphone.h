/* A Subrosa machine as the encryption engine of a LinphoneCore: source to be compiled into an application that has liblinphone.
 * docs/linphone.md says what Liblinphone does by itself, and what is done here about it.
 *
 * Everything here is called on the thread that iterates the core. Only what completes a pending message may be called elsewhere:
 * subrosa_machine_complete rings, and the next turn of the core goes on with the message. */
#ifndef SUBROSA_LINPHONE_H
#define SUBROSA_LINPHONE_H

#include <linphone/core.h>
#include <subrosa.h>

typedef struct subrosa_linphone subrosa_linphone;

/* What the application is told, as Liblinphone has no place for it. Each may be NULL. Called in a turn of the core, from where
 * everything may be done but detaching. The messages are lent for the call. */
typedef struct {
	/* Nothing of this message leaves: 300 to 699 and why. `question`, or NULL: for a person, send it in clear? It is yours: keep it
	 * for your button, subrosa_question_confirmed_by_user, and give it back with subrosa_question_free. */
	void (*not_sent)(void *user_data, LinphoneChatMessage *message, int status, const char *sentence, subrosa_question *question);
	/* A message was not shown, and its sender was told. */
	void (*not_received)(void *user_data, LinphoneChatMessage *message, int status, const char *sentence);
} subrosa_linphone_cbs;

/* Puts the machine, with its engines and its route, between the core and the network: every message of every room goes through it, and
 * every file. LIME is switched off and stays so. `cbs`, or NULL, is copied. The machine's address has to be what the account is in
 * rooms: "sip:user@domain", without port and parameters; so are the chats of its route. The machine shows what the core shows.
 * NULL: something is NULL. */
subrosa_linphone *subrosa_linphone_attach(LinphoneCore *core, subrosa_machine *machine, const subrosa_linphone_cbs *cbs, void *user_data);

/* Takes it away, before the core is stopped or to set another engine. What waits is given up, what is under way fails. Until another
 * engine is set the core sends and shows nothing but typing notices and receipts. Not from inside a callback: then it returns -1, and
 * has done nothing. */
int subrosa_linphone_detach(subrosa_linphone *adapter);

#endif
