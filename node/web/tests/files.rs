//! What is in the binary is a whole client, or nothing with a reason.

use startalk_web::{File, files, missing};

fn file(path: &str) -> Option<&'static File> {
    files().iter().find(|f| f.path == path)
}

#[test]
fn the_client_is_whole_or_its_absence_is_explained() {
    if let Some(why) = missing() {
        assert!(files().is_empty() && !why.is_empty());
        return;
    }
    let page = std::str::from_utf8(file("index.html").expect("the page").plain).unwrap();
    let names = page.split('"').filter(|p| p.starts_with('/') && p.len() > 1 && !p.ends_with('/'));
    let mut scripts = 0;
    for name in names {
        assert!(file(name.trim_start_matches('/')).is_some(), "the page names {name}, which is not there");
        scripts += usize::from(name.ends_with(".js"));
    }
    assert!(scripts > 0, "the page loads a script");
    // The policy of the page lets none of these run or apply.
    assert!(!page.contains("<style") && !page.contains("style=") && !page.contains("javascript:"), "{page}");
    assert_eq!(page.matches("<script").count(), page.matches("<script type=\"module\" crossorigin src=\"/assets/").count());
}

#[test]
fn the_service_worker_keeps_files_that_are_there() {
    let Some(worker) = file("sw.js") else {
        assert!(missing().is_some());
        return;
    };
    let text = std::str::from_utf8(worker.plain).unwrap();
    let list = text.split_once("\"files\":[").unwrap().1.split_once(']').unwrap().0;
    let names: Vec<_> = list.split(',').map(|n| n.trim_matches('"')).collect();
    assert!(names.contains(&"/"));
    for name in names.iter().filter(|n| **n != "/") {
        assert!(file(name.trim_start_matches('/')).is_some(), "it keeps {name}, which is not there");
    }
    for script in files().iter().filter(|f| f.path.starts_with("assets/") && f.path.ends_with(".js")) {
        assert!(names.contains(&format!("/{}", script.path).as_str()), "{} would be missing without a connection", script.path);
    }
}

#[test]
fn compressed_forms_are_smaller_and_there_for_what_compresses() {
    for f in files() {
        let smaller = |other: Option<&[u8]>| other.is_none_or(|o| o.len() < f.plain.len() && !o.is_empty());
        assert!(smaller(f.gzip) && smaller(f.brotli), "{}", f.path);
        let compresses = [".js", ".css", ".html"].iter().any(|end| f.path.ends_with(end)) && f.plain.len() > 1024;
        assert!(!compresses || (f.gzip.is_some() && f.brotli.is_some()), "{} is not compressed", f.path);
        assert!(!f.path.ends_with(".map"), "{}", f.path);
    }
}
