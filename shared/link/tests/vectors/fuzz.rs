//! `check` over every vector and thousands of seeded mutations of them. A failing seed is printed by the panic's test
//! output and is a bug report.

use startalk_link::check;

use crate::{load, unhex};

/// Mutations that are tried.
const MUTATIONS: u64 = 6000;

/// Every stream of the vectors, and streams made of several.
fn corpus() -> Vec<Vec<u8>> {
    let mut corpus = Vec::new();
    for file in ["hello.json", "batch.json", "frames.json", "invalid.json"] {
        for case in load(file)["cases"].as_array().expect("cases") {
            corpus.push(unhex(&case["stream"]));
        }
    }
    let (hello, rest) = (corpus[0].clone(), corpus[2..12].concat());
    corpus.push([hello, rest].concat());
    corpus
}

fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn mutate(corpus: &[Vec<u8>], seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut pick = |n: usize| (next(&mut state) % n.max(1) as u64) as usize;
    let mut bytes = corpus[pick(corpus.len())].clone();
    for _ in 0..=pick(4) {
        let at = pick(bytes.len());
        match pick(7) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << pick(8),
            1 if !bytes.is_empty() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][pick(5)],
            2 => bytes.truncate(at),
            3 => bytes.insert(at, pick(256) as u8),
            4 => {
                let other = &corpus[pick(corpus.len())];
                let from = pick(other.len());
                bytes.splice(at..at, other[from..].iter().copied());
            }
            5 if !bytes.is_empty() => {
                let to = (at + 1 + pick(16)).min(bytes.len());
                bytes.drain(at..to);
            }
            _ => fit_length(&mut bytes),
        }
    }
    if pick(2) == 0 {
        fit_length(&mut bytes);
    }
    bytes
}

/// Makes the first frame's length true again, so that what was changed is read.
fn fit_length(bytes: &mut [u8]) {
    let length = bytes.len().saturating_sub(4);
    if let Some(head) = bytes.first_chunk_mut::<4>() {
        *head = u32::try_from(length).expect("small").to_be_bytes();
    }
}

#[test]
fn no_bytes_make_a_link_panic() {
    let corpus = corpus();
    corpus.iter().for_each(|bytes| check(bytes));
    for seed in 0..MUTATIONS {
        let bytes = mutate(&corpus, seed);
        let outcome = std::panic::catch_unwind(|| check(&bytes));
        assert!(outcome.is_ok(), "seed {seed}: {}", crate::hex(&bytes));
    }
}
