//! The one write loop: batch, handle, append, sync, apply, answer
