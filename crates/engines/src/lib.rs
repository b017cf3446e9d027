//! Engines that need no devices.
