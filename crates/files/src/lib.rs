//! A file to an encrypted stream and back.
