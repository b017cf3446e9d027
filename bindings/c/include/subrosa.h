/* Subrosa: pluggable end-to-end encryption.

   An engine is a table of six functions, named as Liblinphone names them. A machine drives engines for one account and keeps the rules
   that no engine may break: inputs go in, a commit stores what they changed, and only then the outputs say what is to be done. docs/c.md
   begins with a program.

   ERRORS  A function that returns int returns 0 where it did what it says, else one of subrosa_fault, if its description says nothing
   else. Where it has a last argument of type subrosa_error **, it may be NULL; else it becomes NULL, or an error to be given back with
   subrosa_error_free. A function that returns a pointer and fails returns NULL. A function without a place for an error tells the log.
   Nothing unwinds out of this library, and nothing may unwind or jump into it.

   OWNERSHIP  What you pass is read during the call, and copied where it is kept, keys too. What you are given belongs to the object that
   you asked, and lives as long as its description says, else as long as the object. What ends in _new, _ref, by_name, take_, download or
   comes back over a ** is yours, and has a function that takes it back: _unref or _free.

   HANDLES  NULL, a handle of another type and one that was given back are refused, with SUBROSA_FAULT_CALLER or NULL or 0, without being
   read. What can't be seen: a handle whose address was given to a newer one of the same type, and one that another thread gives back while
   it is in use. Strings and buffers that are not what they are said to be can't be seen either.

   THREADS  A subrosa_machine may be used from any thread. What feeds it only adds to a queue, never waits, and may be called from inside
   every callback but a bell. What runs it (commit, install, remove, route, set_..., wake_at, download, omemo_...) does so on the thread that called,
   one at a time, others wait; from inside a callback of the same machine it is refused. subrosa_machine_set_user_data, _get_user_data,
   _get_waiting, _set_bell, _ref and _unref neither run it nor wait. Engines, errors, the log and questions: any thread. A subrosa_message,
   a subrosa_chat and a subrosa_row live for one call of a callback, on its thread. Everything else is used by one thread at a time, whichever.

   TEXT  is UTF-8. A NUL inside a text that is given to you stands there as U+FFFD; bodies are bytes and keep theirs.
   TIME  is milliseconds since 1970, and comes from you. Numbers that stand for something are in the enumerations. */

#ifndef SUBROSA_H
#define SUBROSA_H

#include <stddef.h>
#include <stdint.h>

/* Whom to talk to: what every function that returns `int` returns when it is not 0, unless it says otherwise. */
typedef enum {
  /* It was done. */
  SUBROSA_FAULT_NONE = 0,
  /* The application asked for what can't be. */
  SUBROSA_FAULT_CALLER = -1,
  /* The other side sent what it should not. */
  SUBROSA_FAULT_PEER = -2,
  /* The server or the way to it. */
  SUBROSA_FAULT_NETWORK = -3,
  /* The disk. */
  SUBROSA_FAULT_STORE = -4,
  /* This library, or an engine in it. */
  SUBROSA_FAULT_BUG = -5
} subrosa_fault;

/* How much a line of the log matters. */
typedef enum {
  /* Nothing is told. */
  SUBROSA_LOG_LEVEL_OFF = 0,
  /* Something is lost. */
  SUBROSA_LOG_LEVEL_ERROR = 1,
  /* Something was refused that should not have come: what an engine did wrong is told here. */
  SUBROSA_LOG_LEVEL_WARNING = 2,
  /* What an operator may want to know. */
  SUBROSA_LOG_LEVEL_INFO = 3,
  /* What a developer may want to know: calls that were refused. */
  SUBROSA_LOG_LEVEL_DEBUG = 4,
  /* Everything. */
  SUBROSA_LOG_LEVEL_TRACE = 5
} subrosa_log_level;

/* What a hook returns: one of these, or a SIP status from 300 to 699, with which the message is refused. Anything else counts as
   500, and the log says why. */
typedef enum {
  /* Not mine. What follows is the policy of the chat, which is: not sent, not shown. */
  SUBROSA_HOOK_SKIPPED = -1,
  /* The body was set. */
  SUBROSA_HOOK_DONE = 0,
  /* Later: `subrosa_message_defer` gave a token, and somebody will call `subrosa_machine_complete`. */
  SUBROSA_HOOK_PENDING = 1
} subrosa_hook;

/* What a message is for. */
typedef enum {
  /* Words to be read. */
  SUBROSA_KIND_TEXT = 0,
  /* Somebody is writing. Never kept: it leaves at once or not at all. */
  SUBROSA_KIND_TYPING = 1,
  /* Delivered, read. */
  SUBROSA_KIND_RECEIPT = 2,
  /* A file was uploaded: where it is and its key. */
  SUBROSA_KIND_FILE_OFFER = 3,
  /* Signalling of a call. */
  SUBROSA_KIND_CALL = 4,
  /* Key transport, heartbeats, whatever is not shown. */
  SUBROSA_KIND_OTHER = 5
} subrosa_kind;

/* What an output is, and which functions say more about it. All have `subrosa_output_get_id` and `subrosa_output_is_owed`. */
typedef enum {
  /* There are no more. */
  SUBROSA_OUTPUT_NONE = 0,
  /* Put this on the network: message id, part, chat, recipients or device, kind, content type, body, headers, whether it is in clear. */
  SUBROSA_OUTPUT_TRANSMIT = 1,
  /* The answer to an incoming message that its transport holds: yes. Message id, chat, from. */
  SUBROSA_OUTPUT_ACCEPT = 2,
  /* The answer to an incoming message: no. Message id, chat, from, status. */
  SUBROSA_OUTPUT_REFUSE = 3,
  /* Ask a server for what is published: request id, node. Answer it. */
  SUBROSA_OUTPUT_FETCH = 4,
  /* Publish something that anybody may read: request id, node, whether it keeps many, body. Answer it. */
  SUBROSA_OUTPUT_PUBLISH = 5,
  /* Delete an item, or the whole node where there is no item: request id, node. Answer it. */
  SUBROSA_OUTPUT_DELETE = 6,
  /* One exchange with a named service: request id, service, body. Answer it. */
  SUBROSA_OUTPUT_EXCHANGE = 7,
  /* Upload a file: message id, file, cipher. In clear where a person allowed that: then there is no cipher. */
  SUBROSA_OUTPUT_UPLOAD = 8,
  /* A message was received: message id, chat, from, time, kind, content type, body, sender, whether it is in clear. */
  SUBROSA_OUTPUT_MESSAGE = 9,
  /* The whole message is among the outputs: message id, kind, report, who was left out, what is unsaid. */
  SUBROSA_OUTPUT_SENT = 10,
  /* Kept until keys arrive, somebody completes it, or its patience ends: message id. */
  SUBROSA_OUTPUT_WAITING = 11,
  /* Nothing of it left: message id, kind, status, reason, report, question, who can't read it. */
  SUBROSA_OUTPUT_NOT_SENT = 12,
  /* A message that can't be shown: message id, chat, from, device, status, reason. */
  SUBROSA_OUTPUT_NOT_RECEIVED = 13,
  /* A device that was not known before: device, key, trust. */
  SUBROSA_OUTPUT_DEVICE_NEW = 14,
  /* A known device showed another key, and is refused until a person decides: device, key, known key. */
  SUBROSA_OUTPUT_KEY_CHANGED = 15,
  /* Something that this version of the header has no word for. */
  SUBROSA_OUTPUT_OTHER = 16,
  /* A person should know: reason, sentence; chat and device where it is about one. */
  SUBROSA_OUTPUT_WARNING = 17
} subrosa_output;

/* Why a server did not do what it was asked. */
typedef enum {
  /* It does not exist. */
  SUBROSA_REQUEST_ERROR_NOT_FOUND = 1,
  /* It exists, or may, but not for us. */
  SUBROSA_REQUEST_ERROR_FORBIDDEN = 2,
  /* The server was asked and gave no answer. Who is offline does not answer at all. */
  SUBROSA_REQUEST_ERROR_UNREACHABLE = 3,
  /* Too much, too often, or it would break a limit. */
  SUBROSA_REQUEST_ERROR_REFUSED = 4,
  /* What we sent, or what it sent, is not what the protocol says. */
  SUBROSA_REQUEST_ERROR_MALFORMED = 5
} subrosa_request_error;

/* What a key is worth. */
typedef enum {
  /* A person said no. */
  SUBROSA_TRUST_UNTRUSTED = 0,
  /* Nobody said anything. */
  SUBROSA_TRUST_UNDECIDED = 1,
  /* Blindly, or a person said yes without comparing. */
  SUBROSA_TRUST_TRUSTED = 2,
  /* A person compared it. */
  SUBROSA_TRUST_VERIFIED = 3
} subrosa_trust;

/* Who gets a key before a person decided, among contacts. */
typedef enum {
  /* Blind trust before verification: a new key is trusted unless its owner has a verified one. */
  SUBROSA_TRUST_POLICY_BTBV = 0,
  /* No key before a decision. */
  SUBROSA_TRUST_POLICY_MANUAL = 1
} subrosa_trust_policy;

/* An engine, to be installed in any number of machines. */
typedef struct subrosa_engine subrosa_engine;

/* What went wrong. Read it, then give it back with `subrosa_error_free`. */
typedef struct subrosa_error subrosa_error;

/* The engines of one account, the rules that none of them may break, and a store. Used from any thread. */
typedef struct subrosa_machine subrosa_machine;

/* What one commit gave. One thread at a time uses it. What the functions that look at an output give lives until the next one is
   taken, and they give NULL or 0 where the output has no such thing. */
typedef struct subrosa_outputs subrosa_outputs;

/* A conversation. Lives for the call of a hook. */
typedef struct subrosa_chat subrosa_chat;

/* What runs over one file. One thread at a time uses it; it needs no machine. */
typedef struct subrosa_cipher subrosa_cipher;

/* A file that is offered, with its key: Liblinphone's LinphoneContent. One thread at a time uses it. What its getters give lives until
   it is set anew, or the content is freed. */
typedef struct subrosa_content subrosa_content;

/* The devices of a person. What is got from it lives as long as it. */
typedef struct subrosa_devices subrosa_devices;

/* A message on its way through an engine: Liblinphone's LinphoneChatMessage. Lives for the call of a hook, on its thread; so does what
   its getters give, but for the body, which lives until it is set. */
typedef struct subrosa_message subrosa_message;

/* Comes with a message that was not sent because it would have gone in clear. Only this allows clear text in a chat. */
typedef struct subrosa_question subrosa_question;

/* Where `load` puts what it found. Lives for the call. */
typedef struct subrosa_row subrosa_row;

/* Takes a line: one of `subrosa_log_level`, and a text that lives for the call. */
typedef void (*subrosa_log)(void *user_data, int level, const char *message);

/* A message came in: set its body and its content type to what they were before the sender's engine. One of `subrosa_hook`, or 300 to 699. */
typedef int (*subrosa_engine_incoming_message)(subrosa_engine *engine, subrosa_chat *chat, subrosa_message *message);

/* A message wants to leave: set its body and its content type. One of `subrosa_hook`, or 300 to 699. */
typedef int (*subrosa_engine_outgoing_message)(subrosa_engine *engine, subrosa_chat *chat, subrosa_message *message);

/* Whether files of this chat are encrypted: 0 is no. */
typedef int (*subrosa_engine_file_transfer_enabled)(subrosa_engine *engine, subrosa_chat *chat);

/* Makes the key of one file: `subrosa_content_set_key(subrosa_message_get_file_transfer_information(message), ...)`. Without one the file
   is not sent. */
typedef void (*subrosa_engine_generate_file_transfer_key)(subrosa_engine *engine, subrosa_chat *chat, subrosa_message *message);

/* Decrypts a piece of a file, or checks its tag; see `subrosa_engine_cbs`. */
typedef int (*subrosa_engine_downloading_file)(subrosa_engine *engine,
                                               subrosa_message *message,
                                               size_t offset,
                                               const uint8_t *buffer,
                                               size_t size,
                                               uint8_t *decrypted_buffer);

/* Encrypts a piece of a file, or makes its tag; see `subrosa_engine_cbs`. */
typedef int (*subrosa_engine_uploading_file)(subrosa_engine *engine,
                                             subrosa_message *message,
                                             size_t offset,
                                             const uint8_t *buffer,
                                             size_t *size,
                                             uint8_t *encrypted_buffer);

/* Whether messages of this kind, one of `subrosa_kind`, come through the hooks: 0 is no. */
typedef int (*subrosa_engine_wants)(subrosa_engine *engine, int kind);

/* Called when nobody needs `user_data` any more. */
typedef void (*subrosa_destroy)(void *user_data);

/* An engine: Liblinphone's six callbacks under their names, with their arguments and their codes.

   All are called by `subrosa_machine_commit` on its thread, one at a time, but for the two that work on files: those run on whichever
   thread drives the `subrosa_cipher`, one at a time for each file. None may unwind or jump out. They may call every function of this
   library but those that the header says not to. */
typedef struct {
  /* `sizeof (subrosa_engine_cbs)`. */
  size_t size;
  /* Needed. */
  subrosa_engine_incoming_message process_incoming_message;
  /* Needed. */
  subrosa_engine_outgoing_message process_outgoing_message;
  /* NULL: files are not encrypted, which means not sent. */
  subrosa_engine_file_transfer_enabled is_encryption_enabled_for_file_transfer;
  /* Needed where files are encrypted. */
  subrosa_engine_generate_file_transfer_key generate_file_transfer_key;
  /* Decrypts `size` bytes from `buffer` into as many at `decrypted_buffer`: pieces of multiples of 16 bytes, but for the last. The final
     call has 0, NULL, 0, NULL: check the tag. 0, or the status from 300 to 699 that ends the transfer; anything else is 500. */
  subrosa_engine_downloading_file process_downloading_file;
  /* Encrypts `*size` bytes from `buffer` into as many at `encrypted_buffer`, or fewer: then it sets `*size` to how many it took, and the
     rest is offered again at that offset. More than offered is 500. The file ends at `subrosa_content_get_file_size`. The final call has
     0, NULL, NULL, NULL: set the tag. 0, or the status from 300 to 699 that ends the transfer; anything else is 500. */
  subrosa_engine_uploading_file process_uploading_file;
  /* NULL: texts and file offers. Typing notices and receipts that an engine does not want pass it by in clear. */
  subrosa_engine_wants wants;
  /* Called with the user data when the engine is no longer needed by anybody, on whichever thread lets go of it last, or NULL. */
  subrosa_destroy destroy;
} subrosa_engine_cbs;

/* Looks for a row and calls `subrosa_row_set` with what it finds; a row that is not there is left alone. Not 0: it could not look. */
typedef int (*subrosa_store_load)(void *user_data, const char *key, subrosa_row *row);

/* Begins a transaction. Not 0: it could not, and `end` does not follow. */
typedef int (*subrosa_store_begin)(void *user_data);

/* Writes a row in the transaction; `bytes` NULL: deletes it, whether it is there or not. Not 0: it could not; `end` with 0 follows. */
typedef int (*subrosa_store_put)(void *user_data, const char *key, const uint8_t *bytes, size_t size);

/* Ends the transaction: `commit` 0 undoes it, anything else makes it durable, all of it or nothing. Not 0: nothing of it is stored. */
typedef int (*subrosa_store_end)(void *user_data, int commit);

/* A store of your own: rows with a text for a key and secret bytes, which the store should seal. Called by
   `subrosa_machine_commit` and the functions that ask an engine something, on their thread, one at a time. What they are given lives
   for the call. None may unwind or jump out. */
typedef struct {
  /* `sizeof (subrosa_store_cbs)`. */
  size_t size;
  /* The first argument of all of them. */
  void *user_data;
  /* Needed. */
  subrosa_store_load load;
  /* Needed. */
  subrosa_store_begin begin;
  /* Needed. */
  subrosa_store_put put;
  /* Needed. */
  subrosa_store_end end;
  /* Called with the user data when the machine needs the store no longer, or NULL. */
  subrosa_destroy destroy;
} subrosa_store_cbs;

/* Says which engine a chat has: its name, or NULL for none. What it returns is read before it is called again. */
typedef const char *(*subrosa_route)(void *user_data, const char *chat);

/* An input waits to be committed. Called on the thread that brought it, which may be in a callback of the same machine: it must return
   soon, and neither feed nor commit. */
typedef void (*subrosa_bell)(void *user_data);

/* A header that travels beside the body, in clear, where the transport has such a thing: SIP. */
typedef struct {
  /* Its name. */
  const char *name;
  /* Its value. */
  const char *value;
} subrosa_header;

/* A message to send. What is zero is left out. */
typedef struct {
  /* `sizeof (subrosa_send)`. */
  size_t size;
  /* Needed: your id of it, echoed in everything about it. On XMPP the stanza id. */
  const char *message_id;
  /* Needed: the conversation. */
  const char *chat;
  /* Whom it is for; NULL: the chat's address. */
  const char *const *recipients;
  /* How many those are. */
  size_t recipient_count;
  /* One of `subrosa_kind`. */
  int kind;
  /* NULL: "text/plain". */
  const char *content_type;
  /* Any bytes. */
  const uint8_t *body;
  /* How many. */
  size_t body_size;
  /* NULL: none. */
  const subrosa_header *headers;
  /* How many. */
  size_t header_count;
} subrosa_send;

/* A message that came. What is zero is left out. */
typedef struct {
  /* `sizeof (subrosa_receive)`. */
  size_t size;
  /* Needed: the sender's id of it. */
  const char *message_id;
  /* Needed: the conversation: the peer's address, also for what our other devices sent. */
  const char *chat;
  /* Who sent it, as the server vouches; our own address for what our other devices sent. NULL: the chat's address. */
  const char *from;
  /* When it was sent, by the server's clock, else now. Milliseconds since 1970. */
  uint64_t sent;
  /* One of `subrosa_kind`. */
  int kind;
  /* NULL: "text/plain". */
  const char *content_type;
  /* Any bytes. */
  const uint8_t *body;
  /* How many. */
  size_t body_size;
  /* NULL: none. */
  const subrosa_header *headers;
  /* How many. */
  size_t header_count;
  /* The transport holds its answer until then: exactly one `SUBROSA_OUTPUT_ACCEPT` or `SUBROSA_OUTPUT_REFUSE` comes, the latter with
     480 when that time has passed. Milliseconds since 1970; 0: it needs no answer. */
  uint64_t answer_by;
} subrosa_receive;

/* One published thing, as a server gave it. */
typedef struct {
  /* Its name within the node, or NULL. */
  const char *id;
  /* One XML element, or what a key server answered. */
  const uint8_t *payload;
  /* Bytes. */
  size_t payload_size;
} subrosa_item;

/* One device of a person. */
typedef struct {
  /* Whose it is. */
  const char *owner;
  /* Its number, where devices have numbers: OMEMO. */
  uint32_t number;
  /* Its name where devices have names; else NULL. */
  const char *name;
} subrosa_device;

/* One line of the answer to "who can read it". */
typedef struct {
  /* Which device. */
  subrosa_device device;
  /* The version spoken to it, "omemo:2"; empty where none was chosen. */
  const char *protocol;
  /* NULL: it can read the message. Else the stable name of the reason: "untrusted". */
  const char *excluded;
  /* NULL, or the reason in words. */
  const char *sentence;
} subrosa_report;

/* The device a message came from, and the key that proved it. */
typedef struct {
  /* Which device. */
  subrosa_device device;
  /* 32 bytes. */
  const uint8_t *key;
  /* What that key is worth to us: one of `subrosa_trust`. */
  int trust;
  /* The version it spoke: "omemo:2". */
  const char *protocol;
} subrosa_sender;

/* One device of a person, for a person to look at. */
typedef struct {
  /* Which. */
  subrosa_device device;
  /* Its identity key as people compare it: 32 bytes. NULL: not seen yet. */
  const uint8_t *key;
  /* What the key is worth: one of `subrosa_trust`. */
  int trust;
  /* Not 0: it is on its owner's list. Messages go to these only. */
  int listed;
  /* Not 0: it is this one. */
  int this_device;
  /* Not 0: there is a session with it. */
  int has_session;
  /* When something of it was last decrypted: milliseconds since 1970, or 0. */
  uint64_t last_heard;
  /* What its owner calls it, or NULL. */
  const char *label;
} subrosa_device_info;

#ifdef __cplusplus
extern "C" {
#endif /* __cplusplus */

/* The stable name of the error, for programs: "store.commit". Lives as long as the error. */
const char *subrosa_error_get_code(const subrosa_error *error);

/* What happened and what can be done about it, for people. Lives as long as the error. */
const char *subrosa_error_get_message(const subrosa_error *error);

/* One of `subrosa_fault`: the number that the function returned. */
int subrosa_error_get_fault(const subrosa_error *error);

/* The code from 300 to 699 that an engine refused a file with; 0 for every other error. */
int subrosa_error_get_status(const subrosa_error *error);

/* Gives an error back. NULL is fine. */
void subrosa_error_free(subrosa_error *error);

/* Says where the log goes: once for the whole process, from any thread, again at any time. `level`: the least that matters, of
   `subrosa_log_level`. The callback is called from whichever thread has something to say, also inside calls of this library and while
   a machine commits; it must return and may call nothing but `subrosa_set_log`. `log` NULL: no more lines, but for those that other
   threads are just telling.

   Fails where the program already has a log of its own for `tracing`. */
int subrosa_set_log(int level, subrosa_log log, void *user_data, subrosa_error **error);

/* An engine of your own. The table is copied. `name`: names its records, and on XMPP what messages are encrypted with; copied.
   `user_data`: what its hooks find with `subrosa_engine_get_user_data`. Give it back with `subrosa_engine_unref`; machines that it is
   installed in keep it for themselves. */
subrosa_engine *subrosa_engine_new(const subrosa_engine_cbs *cbs, const char *engine_name, void *user_data, subrosa_error **error);

/* An engine that comes with the library: "omemo", "xor", "xor-hex", "base64", "base64-async", "preshared:KEY" or "preshared-base64:KEY",
   where KEY is 64 hexadecimal digits, or @ and the path of a file with them. Of these only OMEMO and those with a preshared key protect.
   The words are copied. Give it back with `subrosa_engine_unref`. */
subrosa_engine *subrosa_engine_by_name(const char *words, subrosa_error **error);

/* The name by which a machine knows it: for `subrosa_machine_route_all`. Lives as long as the program. */
const char *subrosa_engine_get_name(const subrosa_engine *engine);

/* Another reference to it; also to one that a hook was lent. */
subrosa_engine *subrosa_engine_ref(subrosa_engine *engine);

/* Gives a reference back. NULL is fine. */
void subrosa_engine_unref(subrosa_engine *engine);

/* What the engine was made with. NULL for engines of the library. */
void *subrosa_engine_get_user_data(const subrosa_engine *engine);

/* Replaces what the engine was made with, in all machines. What was there before is yours again. */
void subrosa_engine_set_user_data(subrosa_engine *engine, void *user_data);

/* In a hook: what the application left with `subrosa_machine_set_user_data`, the way back to its core. Outside of one, and in the hooks
   that work on files when the machine is gone: NULL. */
void *subrosa_engine_get_core(const subrosa_engine *engine);

/* The address of the chat: the peer's, or the room's. Lives as long as the chat. */
const char *subrosa_chat_get_peer_address(const subrosa_chat *chat);

/* What the application left with `subrosa_machine_set_user_data`. */
void *subrosa_chat_get_core(const subrosa_chat *chat);

/* What the application left with `subrosa_machine_set_user_data`. */
void *subrosa_message_get_core(const subrosa_message *message);

/* Its chat; NULL in the hooks that work on files. */
subrosa_chat *subrosa_message_get_chat(const subrosa_message *message);

/* Whether it leaves: not 0 for one that does. */
int subrosa_message_is_outgoing(const subrosa_message *message);

/* What it is for: one of `subrosa_kind`. */
int subrosa_message_get_kind(const subrosa_message *message);

/* Its id: the application's for one that leaves, the sender's for one that came. */
const char *subrosa_message_get_message_id(const subrosa_message *message);

/* Who sent it: our own address for one that leaves, and for what our other devices sent. */
const char *subrosa_message_get_from_address(const subrosa_message *message);

/* How many people it is for. */
size_t subrosa_message_get_recipient_count(const subrosa_message *message);

/* One of the people it is for; NULL where there are not so many. */
const char *subrosa_message_get_recipient(const subrosa_message *message, size_t index);

/* When it was sent, by the server's clock; for one that leaves, now. Milliseconds since 1970. */
uint64_t subrosa_message_get_time(const subrosa_message *message);

/* A header that travels beside the body, in clear, where the transport has such a thing: SIP. NULL where there is none. */
const char *subrosa_message_get_custom_header(const subrosa_message *message, const char *header_name);

/* The content type of the body. */
const char *subrosa_message_get_content_type(const subrosa_message *message);

/* Sets the content type; copied. Where an engine does not, it stays as it was. */
int subrosa_message_set_content_type(subrosa_message *message, const char *content_type);

/* The body: any bytes, NULs among them, and no NUL after them. `size`: becomes their number. Never NULL but for a handle that is none. */
const uint8_t *subrosa_message_get_body(const subrosa_message *message, size_t *size);

/* Sets the body; copied. */
int subrosa_message_set_body(subrosa_message *message, const uint8_t *body, size_t size);

/* The body as a string. NULL where it is not UTF-8, or has a NUL inside: then use `subrosa_message_get_body`. */
const char *subrosa_message_get_utf8_text(const subrosa_message *message);

/* Sets the body to a string; copied. */
int subrosa_message_set_utf8_text(subrosa_message *message, const char *utf8_text);

/* The file that this hook is about, lent for the call: in `generate_file_transfer_key` and the two hooks that work on files. NULL
   elsewhere. It is that file's and no other's, however many the message has. */
subrosa_content *subrosa_message_get_file_transfer_information(const subrosa_message *message);

/* Leaves the message with whoever gets this token; return `SUBROSA_HOOK_PENDING` then. `subrosa_machine_complete` ends it, from any
   thread and also after a restart of the program; if nobody does in time, it is refused. The same token however often a hook asks; 0, and
   no token: this hook can't wait. */
uint64_t subrosa_message_defer(subrosa_message *message);

/* Reads one of the engine's own records, in a hook about a message. `record` and `size`: become its bytes, which live until the next
   record is read, or NULL and 0 where there is none.

   Not 0: it is not in memory. The hook must return at once, whatever it likes: the record is loaded, and the hook is called again from
   its start. What it did to the message is forgotten; what it did elsewhere is not. */
int subrosa_message_load_record(subrosa_message *message, const char *record_name, const uint8_t **record, size_t *size);

/* Writes one of the engine's own records, in a hook about a message; copied. It is stored together with what becomes of the message.
   `record` NULL: deletes it. */
int subrosa_message_store_record(subrosa_message *message, const char *record_name, const uint8_t *record, size_t size);

/* A file to offer, or one that is offered to us. All texts are copied. `size`: bytes of the plaintext. Give it back with
   `subrosa_content_unref`. */
subrosa_content *subrosa_content_new(const char *name, const char *content_type, uint64_t size, subrosa_error **error);

/* Another reference to it; also to one that a hook was lent, which then outlives the hook. */
subrosa_content *subrosa_content_ref(subrosa_content *content);

/* Gives a reference back. NULL is fine. */
void subrosa_content_unref(subrosa_content *content);

/* Keeps something of yours with it, as an engine's state of this one transfer. `destroy`, or NULL: called with it when it is replaced
   and when the content is freed, however the transfer ended. */
void subrosa_content_set_user_data(subrosa_content *content, void *user_data, subrosa_destroy destroy);

/* What was kept with it, or NULL. */
void *subrosa_content_get_user_data(const subrosa_content *content);

/* The name of the file, as its sender says: never a path to trust. */
const char *subrosa_content_get_name(const subrosa_content *content);

/* The MIME type of the file. */
const char *subrosa_content_get_type(const subrosa_content *content);

/* Bytes of the plaintext. */
uint64_t subrosa_content_get_file_size(const subrosa_content *content);

/* Sets the key; it is copied, and wiped when the content is freed. `size`: bytes, at least one. */
int subrosa_content_set_key(subrosa_content *content, const uint8_t *key, size_t size);

/* The key, owned by the content; NULL where it has none. */
const uint8_t *subrosa_content_get_key(const subrosa_content *content);

/* Bytes of the key; 0 where there is none. */
size_t subrosa_content_get_key_size(const subrosa_content *content);

/* Sets the authentication tag of the encrypted file, which is copied: 16 bytes, or 0 for none. Liblinphone has no public function for it. */
int subrosa_content_set_tag(subrosa_content *content, const uint8_t *tag, size_t size);

/* The tag, owned by the content; NULL where there is none. `size`, or NULL: becomes its length. */
const uint8_t *subrosa_content_get_tag(const subrosa_content *content, size_t *size);

/* A machine for the account of this address. `store`: the table is copied; NULL: a store in memory, which forgets everything with the
   machine. Install an engine and set a route before the first commit. Give it back with `subrosa_machine_unref`. */
subrosa_machine *subrosa_machine_new(const char *address, const subrosa_store_cbs *store, subrosa_error **error);

/* Another reference to it. */
subrosa_machine *subrosa_machine_ref(subrosa_machine *machine);

/* Gives a reference back. NULL is fine. With the last one the machine goes, with inputs that were not committed; what is stored stays. */
void subrosa_machine_unref(subrosa_machine *machine);

/* Keeps a pointer of yours, which hooks find as their core. */
void subrosa_machine_set_user_data(subrosa_machine *machine, void *user_data);

/* What was kept, or NULL. */
void *subrosa_machine_get_user_data(const subrosa_machine *machine);

/* Installs an engine, at any time. It replaces one of the same name and has its records; what is in flight ends with the one it began with. */
int subrosa_machine_install(subrosa_machine *machine, subrosa_engine *engine, subrosa_error **error);

/* Installs OMEMO (XEP-0384), in both namespaces. The account then publishes, by requests among the outputs. */
int subrosa_machine_install_omemo(subrosa_machine *machine, subrosa_error **error);

/* Removes the engine of this name. What is in flight ends with it. Its chats send and show nothing from here on: clear text does not
   take its place. */
int subrosa_machine_remove(subrosa_machine *machine, const char *engine_name, subrosa_error **error);

/* Gives all chats to the engine of this name. NULL: no chat has an engine. */
int subrosa_machine_route_all(subrosa_machine *machine, const char *engine_name, subrosa_error **error);

/* Gives each chat to the engine that `route` names, called while a machine commits. A name that is not installed sends and shows
   nothing, and the log says so. `destroy`, or NULL: called with `user_data` when another route takes its place. */
int subrosa_machine_route(subrosa_machine *machine, subrosa_route route, void *user_data, subrosa_destroy destroy, subrosa_error **error);

/* How long a message waits for keys or its completion, being offline included. Milliseconds; at first 24 hours. */
int subrosa_machine_set_patience(subrosa_machine *machine, uint64_t milliseconds, subrosa_error **error);

/* What becomes of a contact's new key: one of `subrosa_trust_policy`. At first `SUBROSA_TRUST_POLICY_BTBV`. */
int subrosa_machine_set_trust_policy(subrosa_machine *machine, int policy, subrosa_error **error);

/* Which content types the application can show; what an engine restored to another is refused with 415. One that ends in '/' stands for
   all that begin so. At first "text/" and the content type of XMPP stanzas. */
int subrosa_machine_set_shown(subrosa_machine *machine, const char *const *content_types, size_t count, subrosa_error **error);

/* Runs all inputs that wait as one transaction, stores what they changed, and only then gives what is to be done. The first commit
   gives also what an earlier process left undone. `now`: milliseconds since 1970. `outputs`: becomes what is to be done, also where that
   is nothing; give it back with `subrosa_outputs_free`.

   When the store fails nothing has happened and nothing leaves: the inputs wait as before, to be committed again.

   One thread at a time commits, others wait; a callback of the same machine may not commit. */
int subrosa_machine_commit(subrosa_machine *machine, uint64_t now, subrosa_outputs **outputs, subrosa_error **error);

/* Says what wakes your loop: it is rung after every input, whoever fed it, and when an engine has finished a message on a thread of its
   own. NULL: nothing. */
void subrosa_machine_set_bell(subrosa_machine *machine, subrosa_bell ring, void *user_data);

/* How many inputs wait to be committed. */
size_t subrosa_machine_get_waiting(const subrosa_machine *machine);

/* When to call `subrosa_machine_tick` and commit, at the latest: milliseconds since 1970, 0 for never. Known after the first commit, and
   anew after each. */
uint64_t subrosa_machine_wake_at(subrosa_machine *machine);

/* What runs over a file that came in this chat, as its offer describes it, with key and tag. It outlives machine and engine. NULL and an
   error where the engine refuses. */
subrosa_cipher *subrosa_machine_download(subrosa_machine *machine, const char *chat, const subrosa_content *file, subrosa_error **error);

/* In `load`: this is the row. Copied. */
int subrosa_row_set(subrosa_row *row, const uint8_t *bytes, size_t size);

/* Sends a message: answered by one or more `SUBROSA_OUTPUT_TRANSMIT` and a `SUBROSA_OUTPUT_SENT`, or by `SUBROSA_OUTPUT_NOT_SENT`; by
   `SUBROSA_OUTPUT_WAITING` first, where it has to wait. Messages of one chat leave in the order they were given. */
int subrosa_machine_send(subrosa_machine *machine, const subrosa_send *message, subrosa_error **error);

/* Sends words to a chat: the same with everything else left out. */
int subrosa_machine_send_text(subrosa_machine *machine,
                              const char *message_id,
                              const char *chat,
                              const char *utf8_text,
                              subrosa_error **error);

/* Offers a file: answered by `SUBROSA_OUTPUT_UPLOAD` or `SUBROSA_OUTPUT_NOT_SENT`. The message that says where the file is, with its key
   and tag, is sent after the upload, by you. `file`: what is said about it is copied. */
int subrosa_machine_offer_file(subrosa_machine *machine,
                               const char *message_id,
                               const char *chat,
                               const subrosa_content *file,
                               subrosa_error **error);

/* A message came: answered by `SUBROSA_OUTPUT_MESSAGE` or by `SUBROSA_OUTPUT_NOT_RECEIVED` with a `SUBROSA_OUTPUT_REFUSE`, or by nothing
   where its engine says that there is nothing to show. */
int subrosa_machine_receive(subrosa_machine *machine, const subrosa_receive *message, subrosa_error **error);

/* The answer to a request: what was found, or none where it was a publication or there is nothing. */
int subrosa_machine_answer(subrosa_machine *machine, uint64_t request_id, const subrosa_item *items, size_t count, subrosa_error **error);

/* The answer to a request was no: one of `subrosa_request_error`. */
int subrosa_machine_answer_error(subrosa_machine *machine, uint64_t request_id, int why, subrosa_error **error);

/* Connected. `resumed` 0: a new stream, and all requests that were not answered come again. */
int subrosa_machine_online(subrosa_machine *machine, int resumed, subrosa_error **error);

/* The server pushed what somebody published. `item`: its name, or NULL. `payload` NULL: it was retracted, or the node was deleted. */
int subrosa_machine_published(subrosa_machine *machine,
                              const char *owner,
                              const char *node,
                              const char *item,
                              const uint8_t *payload,
                              size_t payload_size,
                              subrosa_error **error);

/* Archived messages are being read; `running` 0: that ended. */
int subrosa_machine_catch_up(subrosa_machine *machine, int running, subrosa_error **error);

/* The time of `subrosa_machine_wake_at` has come. */
int subrosa_machine_tick(subrosa_machine *machine, subrosa_error **error);

/* A person decided about a key of a device: 32 bytes, and one of `subrosa_trust`. For a key that the device did not have, anything from
   `SUBROSA_TRUST_TRUSTED` up accepts it as the device's new key. */
int subrosa_machine_set_trust(subrosa_machine *machine, const subrosa_device *device, const uint8_t *key, int trust, subrosa_error **error);

/* Completes a message that an engine left with somebody: with the body that is to leave, or that is to be shown. From any thread. A
   token that nothing waits for does nothing. An empty body for a message that is to leave counts as a refusal with 500. */
int subrosa_machine_complete(subrosa_machine *machine,
                             uint64_t token,
                             const char *content_type,
                             const uint8_t *body,
                             size_t body_size,
                             subrosa_error **error);

/* Refuses a message that an engine left with somebody, with a status from 300 to 699; anything else counts as 500. From any thread. */
int subrosa_machine_complete_rejected(subrosa_machine *machine, uint64_t token, int code, subrosa_error **error);

/* An output of this id is not needed any more: acknowledged by the server, stored in the history. Until then what is owed comes again
   after a restart. */
int subrosa_machine_done(subrosa_machine *machine, uint64_t output_id, subrosa_error **error);

/* This chat allows only encrypted messages, as all chats do at first. The other way round goes only over a question that a person
   answered: `subrosa_question_confirmed_by_user`. */
int subrosa_machine_forbid_clear_text(subrosa_machine *machine, const char *chat, subrosa_error **error);

/* Takes the next output: one of `subrosa_output`, `SUBROSA_OUTPUT_NONE` after the last. */
int subrosa_outputs_next(subrosa_outputs *outputs);

/* Gives a list of outputs back. NULL is fine. What was not taken from it comes again only after a restart, if it is owed. */
void subrosa_outputs_free(subrosa_outputs *outputs);

/* Names it until it is done. The same over restarts, never used for another. */
uint64_t subrosa_output_get_id(const subrosa_outputs *outputs);

/* Whether it comes again after a restart until `subrosa_machine_done`: not 0 for one that does. */
int subrosa_output_is_owed(const subrosa_outputs *outputs);

/* Whether it may have been given before, by an earlier process or on an earlier connection: not 0 for one that may. */
int subrosa_output_is_again(const subrosa_outputs *outputs);

/* The message's id: yours, or the sender's. What engines send by themselves has one too. */
const char *subrosa_output_get_message_id(const subrosa_outputs *outputs);

/* Which of the message's bodies this is, from 0: each travels by itself. */
int subrosa_output_get_part(const subrosa_outputs *outputs);

/* The conversation. */
const char *subrosa_output_get_chat(const subrosa_outputs *outputs);

/* Who sent the message, as the server vouches. */
const char *subrosa_output_get_from(const subrosa_outputs *outputs);

/* When a received message was sent, by the server's clock; when one that is to leave was made: if that is a minute ago or more, put it
   beside the message (`<delay xmlns='urn:xmpp:delay' stamp='...'/>`, XEP-0203), because recipients compare the two. Milliseconds since 1970;
   0: not known. */
uint64_t subrosa_output_get_time(const subrosa_outputs *outputs);

/* What the message is for: one of `subrosa_kind`. */
int subrosa_output_get_kind(const subrosa_outputs *outputs);

/* The content type of the body. */
const char *subrosa_output_get_content_type(const subrosa_outputs *outputs);

/* The body of a message that leaves or was received, the payload of a publication, what a service is told: any bytes, NULs among them,
   and no NUL after them. `size`: becomes their number. */
const uint8_t *subrosa_output_get_body(const subrosa_outputs *outputs, size_t *size);

/* The body as a string. NULL where it is not UTF-8, or has a NUL inside. */
const char *subrosa_output_get_utf8_text(const subrosa_outputs *outputs);

/* Whether it is not encrypted: not 0 for what leaves or came in clear, or is to be uploaded so, as a person allowed for this chat or as
   typing notices do. Show it so. */
int subrosa_output_is_in_clear(const subrosa_outputs *outputs);

/* How many people it is for: all their devices, and our others. 0 where it is for one device: `subrosa_output_get_device`. */
size_t subrosa_output_get_recipient_count(const subrosa_outputs *outputs);

/* One of them. */
const char *subrosa_output_get_recipient(const subrosa_outputs *outputs, size_t index);

/* How many headers go beside it, in clear. */
size_t subrosa_output_get_header_count(const subrosa_outputs *outputs);

/* The name of one of them. */
const char *subrosa_output_get_header_name(const subrosa_outputs *outputs, size_t index);

/* The value of one of them. */
const char *subrosa_output_get_header_value(const subrosa_outputs *outputs, size_t index);

/* The chat is a room, and these are in it: members, admins, owners, whether they are there or not. Each time that changes, and once on
   each new stream: until then messages wait, because who is in it may have changed meanwhile. */
int subrosa_machine_set_room(subrosa_machine *machine, const char *chat, const char *const *members, size_t count, subrosa_error **error);

/* This account is out of the room and means to come in again, while the stream lasts: who is in it may change unseen. Messages wait until
   it is set anew. */
int subrosa_machine_room_unknown(subrosa_machine *machine, const char *chat, subrosa_error **error);

/* The chat is no room any more, or one where encryption is not possible: nothing leaves. */
int subrosa_machine_unset_room(subrosa_machine *machine, const char *chat, subrosa_error **error);

/* A person chose for this room: those who have no device that can read are left out (not 0), or stop the message (0, as at first). */
int subrosa_machine_leave_out(subrosa_machine *machine, const char *chat, int leave_out, subrosa_error **error);

/* Sends a message to everybody in the room that its chat is: those who are in it when it is encrypted. Its recipients are not read. */
int subrosa_machine_send_to_room(subrosa_machine *machine, const subrosa_send *message, subrosa_error **error);

/* Whether it goes to everybody in the room that the chat is: not 0 for one that does. Then it has no recipients. */
int subrosa_output_is_to_room(const subrosa_outputs *outputs);

/* How many people of the room have no device that can read the message: they were left out, or it was not sent because of them. */
size_t subrosa_output_get_left_out_count(const subrosa_outputs *outputs);

/* One of them. */
const char *subrosa_output_get_left_out(const subrosa_outputs *outputs, size_t index);

/* How many things some devices do not get of the message, because their version of the protocol has no form for them. */
size_t subrosa_output_get_unsaid_count(const subrosa_outputs *outputs);

/* One of them: its stable name, "reaction". */
const char *subrosa_output_get_unsaid(const subrosa_outputs *outputs, size_t index);

/* The same in words for a person. */
const char *subrosa_output_get_unsaid_sentence(const subrosa_outputs *outputs, size_t index);

/* The code that a message was refused with: 300 to 699. In `SUBROSA_OUTPUT_REFUSE` it is what goes on the wire. */
int subrosa_output_get_status(const subrosa_outputs *outputs);

/* Why not: the stable name of the reason, "not-encrypted". */
const char *subrosa_output_get_reason(const subrosa_outputs *outputs);

/* Why not: in words that a person can act on. */
const char *subrosa_output_get_sentence(const subrosa_outputs *outputs);

/* How many devices the report is about; 0 for engines without devices. */
size_t subrosa_output_get_report_count(const subrosa_outputs *outputs);

/* One line of the report. Not 0 where there is one. */
int subrosa_output_get_report(const subrosa_outputs *outputs, size_t index, subrosa_report *report);

/* Which device wrote a received message. Not 0 where that is known: not in clear, and by an engine with devices. */
int subrosa_output_get_sender(const subrosa_outputs *outputs, subrosa_sender *sender);

/* The device that the output is about, or for. Not 0 where there is one. */
int subrosa_output_get_device(const subrosa_outputs *outputs, subrosa_device *about);

/* The identity key that the device shows: 32 bytes. */
const uint8_t *subrosa_output_get_key(const subrosa_outputs *outputs);

/* The identity key that the device had before: 32 bytes. */
const uint8_t *subrosa_output_get_known_key(const subrosa_outputs *outputs);

/* What the key of a new device is worth for now: one of `subrosa_trust`. */
int subrosa_output_get_trust(const subrosa_outputs *outputs);

/* For a person: send it in clear? NULL where clear text is not what a yes would mean. It is yours: give it back with
   `subrosa_question_free`, answered or not. */
subrosa_question *subrosa_output_take_question(subrosa_outputs *outputs);

/* The chat it is about. Lives as long as the question. */
const char *subrosa_question_get_chat(const subrosa_question *question);

/* A person said yes: this chat allows clear text from the next commit on. Call it from the handler of a button and from nowhere else,
   once for each question. */
int subrosa_question_confirmed_by_user(subrosa_question *question, subrosa_machine *machine, subrosa_error **error);

/* Gives a question back. NULL is fine. */
void subrosa_question_free(subrosa_question *question);

/* Ties the answer to the request: for `subrosa_machine_answer`. A request comes again, under the same id, until it is answered. */
uint64_t subrosa_output_get_request_id(const subrosa_outputs *outputs);

/* Under whose address the node is. */
const char *subrosa_output_get_node_owner(const subrosa_outputs *outputs);

/* The name of the node. */
const char *subrosa_output_get_node(const subrosa_outputs *outputs);

/* The item within it; NULL: all that it has. */
const char *subrosa_output_get_item(const subrosa_outputs *outputs);

/* How many items the node of a publication keeps: 0 for the latest only, not 0 for as many as the server allows. */
int subrosa_output_keeps_many(const subrosa_outputs *outputs);

/* The service of an exchange. */
const char *subrosa_output_get_service(const subrosa_outputs *outputs);

/* The file that is to be uploaded, with its key. A new reference: give it back with `subrosa_content_unref`. */
subrosa_content *subrosa_output_get_file(const subrosa_outputs *outputs);

/* What runs over the file, to be taken once. It is yours, on any thread, with the engine it began with: give it back with
   `subrosa_cipher_free`. NULL: the file goes in clear, as a person allowed, or the cipher was taken. */
subrosa_cipher *subrosa_output_take_cipher(subrosa_outputs *outputs);

/* Offers the next bytes of the file. `taken`: becomes how many the engine took; offer the rest again, with more behind it, at the start
   of the next call. `out` and `out_size`: become what they turned into, owned by the cipher until its next call, which may be nothing yet,
   or more than went in.

   When it fails the transfer has ended: nothing of the file counts. (But for `c.in-use`: the engine came back to the cipher from its own
   hook, which is refused and ends nothing.) */
int subrosa_cipher_chunk(subrosa_cipher *cipher,
                         const uint8_t *bytes,
                         size_t size,
                         size_t *taken,
                         const uint8_t **out,
                         size_t *out_size,
                         subrosa_error **error);

/* The final call: the last bytes of the file, and its tag. An upload sets the tag in `file`, which was got with
   `subrosa_output_get_file`; for a download give NULL: the tag that the file came with was checked. A download is the file that was sent
   only when this is 0: give it its name then, not earlier. */
int subrosa_cipher_finish(subrosa_cipher *cipher, subrosa_content *file, const uint8_t **out, size_t *out_size, subrosa_error **error);

/* Gives a cipher back, at any time: before its final call this ends the transfer. NULL is fine. */
void subrosa_cipher_free(subrosa_cipher *cipher);

/* The devices of a person as they are known now, listed ones first. `devices`: becomes a list to be given back with
   `subrosa_devices_free`. */
int subrosa_machine_omemo_devices(subrosa_machine *machine,
                                  uint64_t now,
                                  const char *owner,
                                  subrosa_devices **devices,
                                  subrosa_error **error);

/* How many there are. */
size_t subrosa_devices_get_count(const subrosa_devices *devices);

/* One of them. Not 0 where there is one. */
int subrosa_devices_get(const subrosa_devices *devices, size_t index, subrosa_device_info *info);

/* Gives a list of devices back. NULL is fine. */
void subrosa_devices_free(subrosa_devices *devices);

/* Asks the server for the devices of a person anew; what it says is known once the requests are answered. */
int subrosa_machine_omemo_refresh_devices(subrosa_machine *machine, uint64_t now, const char *owner, subrosa_error **error);

/* Whether others find this device: `published` becomes 1 where its bundle and its place on the list are published, else 0. */
int subrosa_machine_omemo_is_published(subrosa_machine *machine, uint64_t now, int *published, subrosa_error **error);

/* Takes this device off the account: done when the requests are answered. */
int subrosa_machine_omemo_unpublish(subrosa_machine *machine, uint64_t now, subrosa_error **error);

/* Starts a new session with a device in the place of a broken one. */
int subrosa_machine_omemo_replace_session(subrosa_machine *machine, uint64_t now, const subrosa_device *with, subrosa_error **error);

#ifdef __cplusplus
} /* extern "C" */
#endif /* __cplusplus */

#endif  /* SUBROSA_H */

/* Written by cbindgen from bindings/c/src. */
