CREATE TABLE settings (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE chats (
  id INTEGER PRIMARY KEY,
  address TEXT NOT NULL UNIQUE,
  room INTEGER NOT NULL,
  read INTEGER NOT NULL DEFAULT 0 -- place of the last message that was read
);
CREATE TABLE messages (
  n INTEGER PRIMARY KEY, -- the place: milliseconds since 1970, and 20 bits that count within one
  chat INTEGER NOT NULL,
  author TEXT NOT NULL,
  nick TEXT,
  id TEXT NOT NULL, -- its author's; '': none
  stanza TEXT, -- the archive's
  digest INTEGER NOT NULL, -- of what was said first
  kind INTEGER NOT NULL,
  text TEXT NOT NULL, -- of what was said first
  corrected TEXT, -- of the latest correction
  refers TEXT, -- what is answered or corrected
  refers_author TEXT,
  reason TEXT, -- of what could not be read, and of what was not sent
  state INTEGER, -- of one's own
  device TEXT,
  trust INTEGER,
  in_clear INTEGER NOT NULL,
  told TEXT, -- the device that told it
  gone INTEGER, -- retracted or moderated
  target INTEGER -- a correction that was applied: the message
);
CREATE INDEX by_chat ON messages (chat, n, state, gone, target) WHERE target IS NULL; -- counts what is unread by itself
CREATE INDEX by_id ON messages (chat, id, digest);
CREATE UNIQUE INDEX by_stanza ON messages (chat, stanza) WHERE stanza IS NOT NULL;
CREATE INDEX corrections ON messages (chat, refers) WHERE kind = 2 AND target IS NULL;
CREATE INDEX forms ON messages (target) WHERE target IS NOT NULL;
CREATE TABLE folds (
  chat INTEGER NOT NULL,
  refers TEXT NOT NULL,
  kind INTEGER NOT NULL,
  author TEXT NOT NULL,
  time INTEGER NOT NULL,
  data TEXT NOT NULL,
  in_clear INTEGER NOT NULL,
  told TEXT,
  waits INTEGER NOT NULL, -- its message is not here yet
  PRIMARY KEY (chat, refers, kind, author)
) WITHOUT ROWID;
CREATE INDEX waiting ON folds (chat, author, time) WHERE waits;
CREATE TABLE displayed ( -- how far others have read
  chat INTEGER NOT NULL,
  author TEXT NOT NULL,
  n INTEGER NOT NULL,
  time INTEGER NOT NULL,
  PRIMARY KEY (chat, author)
) WITHOUT ROWID;
-- what is shown, for search; `chat` is a word of its own for each chat
CREATE VIRTUAL TABLE words USING fts5 (chat, text, content = '', tokenize = "unicode61 remove_diacritics 2 categories 'L* M* N* Co'");
INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
CREATE TABLE transfers (
  device TEXT NOT NULL,
  giving INTEGER NOT NULL,
  id INTEGER NOT NULL,
  stage INTEGER NOT NULL,
  number INTEGER NOT NULL, -- of the last batch
  cursor BLOB NOT NULL,
  done INTEGER NOT NULL,
  total INTEGER NOT NULL,
  left_out INTEGER NOT NULL,
  PRIMARY KEY (device, giving)
) WITHOUT ROWID;
CREATE TABLE decisions ( -- about keys: to be told to a device (giving), or told by it
  device TEXT NOT NULL,
  giving INTEGER NOT NULL,
  owner TEXT NOT NULL,
  id TEXT NOT NULL,
  key BLOB NOT NULL,
  trust INTEGER NOT NULL,
  PRIMARY KEY (device, giving, owner, id, key)
) WITHOUT ROWID;
