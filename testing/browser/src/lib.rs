//! The web messenger in real browsers.
