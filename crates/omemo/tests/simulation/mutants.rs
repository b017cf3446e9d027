//! Things that do one thing wrong.
