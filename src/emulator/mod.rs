//! The portal's stand-in.
