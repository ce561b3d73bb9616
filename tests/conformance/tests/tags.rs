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
