-- One row for each record of an engine or of the house. The key is the binary form of subrosa_engine::Key.
CREATE TABLE records (
    key BLOB NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
