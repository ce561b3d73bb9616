//! The specification and the cases name each other.

use std::collections::BTreeSet;

use startalk_conformance::{cases, spec};

#[test]
fn no_case_names_what_the_specification_does_not_say() {
    let tags = spec::tags(&spec::sentences());
    for case in cases::all() {
        assert!(!case.tags.is_empty(), "{} is about nothing", case.name);
        for tag in case.tags {
            assert!(tags.contains_key(*tag), "{}: no sentence of federation-spec has the tag [C:{tag}]", case.name);
        }
    }
}

#[test]
fn names_of_cases_are_unique() {
    let names: Vec<&str> = cases::all().iter().map(|case| case.name).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
}

#[test]
fn every_sentence_that_binds_names_its_cases() {
    let sentences = spec::sentences();
    let untagged: Vec<String> = sentences
        .iter()
        .filter(|s| s.binds() && s.tags.is_empty() && s.none.is_none())
        .map(|s| format!("{}: {}", s.place, s.text))
        .collect();
    assert!(untagged.is_empty(), "a MUST without a tag [C:…]:\n{}", untagged.join("\n"));
    let cases: BTreeSet<&str> = cases::all().iter().flat_map(|case| case.tags).copied().collect();
    let without: Vec<String> = spec::tags(&sentences).into_keys().filter(|tag| !cases.contains(tag.as_str())).collect();
    assert!(without.is_empty(), "tags without a case: {without:?}");
    assert!(sentences.iter().filter(|s| s.binds()).count() > 60, "the sentences are read");
}

#[test]
fn few_sentences_are_without_a_case() {
    let sentences = spec::sentences();
    let none: Vec<&str> = sentences.iter().filter_map(|s| s.none.as_deref()).collect();
    assert!(none.iter().all(|why| why.split(' ').count() >= 4), "a reason is a sentence: {none:?}");
    let binding = sentences.iter().filter(|s| s.binds()).count();
    assert!(none.len() * 6 <= binding, "{} of {binding} without a case: {none:#?}", none.len());
}
