//! What a session promises, against a node that breaks connections, repeats itself, answers late and in another order,
//! and goes back in time.

mod cuts;
mod fake;
mod files;
mod groups;
mod requests;
mod restores;
mod transfers;
