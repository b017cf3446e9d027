//! XEP-0082 dates and times, both ways.
