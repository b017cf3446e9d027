/* Liblinphone's names for Subrosa's: with this in front of it, engines.c is an engine for subrosa.h. */
#ifndef PORT_H
#define PORT_H

#include <subrosa.h>

#define LinphoneImEncryptionEngine subrosa_engine
#define LinphoneChatRoom subrosa_chat
#define LinphoneChatMessage subrosa_message
#define LinphoneContent subrosa_content
#define bool_t int

#define linphone_chat_message_get_content_type subrosa_message_get_content_type
#define linphone_chat_message_set_content_type subrosa_message_set_content_type
#define linphone_chat_message_get_utf8_text subrosa_message_get_utf8_text
#define linphone_chat_message_set_utf8_text subrosa_message_set_utf8_text
#define linphone_chat_message_get_file_transfer_information subrosa_message_get_file_transfer_information
#define linphone_content_get_file_size subrosa_content_get_file_size
#define linphone_content_get_key_size subrosa_content_get_key_size
#define linphone_content_get_key(content) ((const char *)subrosa_content_get_key(content))
#define linphone_content_set_key(content, key, size) subrosa_content_set_key(content, (const uint8_t *)(key), size)

#endif
