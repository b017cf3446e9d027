ALTER TABLE messages ADD COLUMN loose INTEGER NOT NULL DEFAULT 0; -- what it refers to was said in clear, beside what was encrypted
ALTER TABLE messages ADD COLUMN unread INTEGER NOT NULL DEFAULT 0; -- it came since its chat was read, wherever it stands
UPDATE messages SET unread = 1 WHERE state IS NULL AND n > (SELECT read FROM chats WHERE id = messages.chat);
CREATE INDEX unread ON messages (chat, n, gone, target) WHERE unread;
ALTER TABLE folds ADD COLUMN trust INTEGER; -- of the key that said it
ALTER TABLE displayed RENAME TO displayed_2;
CREATE TABLE displayed ( -- how far others have read
  chat INTEGER NOT NULL,
  author TEXT NOT NULL,
  sure INTEGER NOT NULL, -- a device that is trusted said so, encrypted
  n INTEGER NOT NULL,
  time INTEGER NOT NULL,
  PRIMARY KEY (chat, author, sure)
) WITHOUT ROWID;
INSERT INTO displayed (chat, author, sure, n, time) SELECT chat, author, 0, n, time FROM displayed_2;
DROP TABLE displayed_2;
