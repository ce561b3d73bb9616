//! Cut links, killed processes, restored copies, two copies: nothing lost, nothing doubled.
