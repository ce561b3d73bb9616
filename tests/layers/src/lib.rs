//! Who may import whom, checked
