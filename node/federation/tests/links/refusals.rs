//! Who is not let in, and how that is shown.
