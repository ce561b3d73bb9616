//! The worker by itself, for the tests of this crate; a node starts itself as one.

use startalk_media::worker::{Wanted, run};

fn main() -> std::io::Result<()> {
    run(Wanted::read(&std::env::args().skip(1).collect::<Vec<_>>()))
}
