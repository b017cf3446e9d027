-- One folder for SQLite and PostgreSQL: TEXT, BIGINT, BYTEA; no booleans, no identities, no functions of time.
-- Every table with a seq can be read by "what is new since": (account, seq). A row that changes takes a new seq.

-- head: the newest seq that was given out. A process that writes with another head than it knows is not the only one, and stops.
CREATE TABLE account (
    id BIGINT NOT NULL PRIMARY KEY,
    jid TEXT NOT NULL UNIQUE,
    resource TEXT NOT NULL,
    pin TEXT,
    head BIGINT NOT NULL,
    created_ms BIGINT NOT NULL
);

-- token_hash: SHA-256 of what the cookie holds. sealed: the password, which only that cookie opens.
CREATE TABLE browser (
    id BIGINT NOT NULL PRIMARY KEY,
    account BIGINT NOT NULL,
    token_hash BYTEA NOT NULL UNIQUE,
    sealed BYTEA NOT NULL,
    label TEXT NOT NULL,
    since_ms BIGINT NOT NULL,
    seen_ms BIGINT NOT NULL
);
CREATE INDEX browser_account ON browser (account);

-- Stanzas, as ciphertext where they are encrypted. wire: the stanza id. Of what our browsers sent: message, part, browser, and
-- state (0 to be sent, 1 the server has it, 2 failed). receipt: 1 asked for, 2 to be sent, 3 sent.
CREATE TABLE archive (
    account BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    wire TEXT NOT NULL,
    message TEXT,
    part BIGINT NOT NULL,
    chat TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    sent_ms BIGINT NOT NULL,
    stored_ms BIGINT NOT NULL,
    kind BIGINT NOT NULL,
    browser BIGINT,
    state BIGINT,
    receipt BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (account, seq)
);
CREATE UNIQUE INDEX archive_digest ON archive (account, digest);
CREATE INDEX archive_wire ON archive (account, wire);
CREATE INDEX archive_message ON archive (account, message) WHERE message IS NOT NULL;
CREATE INDEX archive_waits ON archive (account, seq) WHERE state = 0;
CREATE INDEX archive_receipts ON archive (account, seq) WHERE receipt = 2;
CREATE INDEX archive_age ON archive (stored_ms);

-- How far a message of ours is: 1 sent, 2 delivered, 3 failed.
CREATE TABLE progress (
    account BIGINT NOT NULL,
    message TEXT NOT NULL,
    state BIGINT NOT NULL,
    code TEXT,
    sentence TEXT,
    stored_ms BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (account, message)
);
CREATE INDEX progress_seq ON progress (account, seq);
CREATE INDEX progress_age ON progress (stored_ms);

-- standing: 0 mutual, 1 asked, 2 listed, 3 asks, 4 gone.
CREATE TABLE contact (
    account BIGINT NOT NULL,
    jid TEXT NOT NULL,
    name TEXT NOT NULL,
    standing BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (account, jid)
);
CREATE INDEX contact_seq ON contact (account, seq);

CREATE TABLE read_position (
    account BIGINT NOT NULL,
    chat TEXT NOT NULL,
    up_to BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (account, chat)
);
CREATE INDEX read_position_seq ON read_position (account, seq);

-- The latest of what was published where (device lists). item '': all of the node. payload NULL: it is gone.
CREATE TABLE publication (
    account BIGINT NOT NULL,
    owner TEXT NOT NULL,
    node TEXT NOT NULL,
    item TEXT NOT NULL,
    payload BYTEA,
    seq BIGINT NOT NULL,
    PRIMARY KEY (account, owner, node, item)
);
CREATE INDEX publication_seq ON publication (account, seq);
