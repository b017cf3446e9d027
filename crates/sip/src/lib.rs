//! SIP MESSAGE to inputs and outputs, and a connection that carries them.
