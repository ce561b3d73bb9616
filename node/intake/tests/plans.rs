//! What a list comes to against the accounts that there are.

use startalk_domain::accounts::{Role, Source};
use startalk_intake::{Entry, GroupHere, Mode, People, Plan, Present, Standing, What, listed, people, plan, read};
use startalk_protocol::{Code, Error, error::Language};

fn parsed(text: &str) -> People {
    people(&read(text.as_bytes()).unwrap()).unwrap()
}

fn standing(account: u64, name: &str, id: &str) -> Standing {
    let external = (!id.is_empty()).then(|| ("file".to_owned(), id.to_owned()));
    Standing { account, name: name.into(), display_name: name.to_uppercase(), external, ..Standing::default() }
}

fn town(all: Vec<Standing>) -> Present {
    Present { all, ..Present::default() }
}

fn shown(plan: &Plan) -> Vec<(u32, What, &str, usize)> {
    plan.steps.iter().map(|s| (s.row, s.what, s.name.as_str(), s.changes.len())).collect()
}

fn errors(plan: &Plan) -> Vec<(u32, &'static str, &str)> {
    plan.errors.iter().map(|e| (e.row, e.error.code.as_str(), e.who.as_str())).collect()
}

#[test]
fn each_row_is_new_changed_the_same_or_wrong() {
    let list = parsed(
        "外部编号,帐号,姓名,角色,停用,群,部门\n\
         1,ann,ANN,,,,\n\
         2,bob,Robert,成员,,,\n\
         3,CID,岑,管理员,否,家人;Choir,x\n\
         ,dan,Dan,,,,\n\
         5,e v e,Eve,,,,\n\
         6,ann,Ann,,,,\n\
         1,fay,Fay,,,,\n\
         8,gus,Gus,king,,,\n\
         9,hal,Hal,,maybe,,\n\
         10,ian,Ian,,,Nobody,\n\
         11,jan,Jan,,,Closed,\n\
         12,root,Root,,,,\n\
         13,kim,Kim,,是,,\n",
    );
    let group = |conversation: u64, open: bool| vec![GroupHere { conversation, open, ..GroupHere::default() }];
    let mut here = town(vec![standing(1, "ann", "1"), standing(2, "bob", "2")]);
    here.groups = [("家人", group(7, true)), ("Choir", group(8, true)), ("Closed", group(9, false))]
        .into_iter()
        .map(|(name, all)| (name.to_owned(), all))
        .collect();
    let plan = plan(&list, &here, Mode::default());
    assert_eq!((plan.unchanged, plan.ignored.as_slice()), (1, ["部门".to_owned()].as_slice()));
    assert_eq!(shown(&plan), [(3, What::Change, "bob", 1), (4, What::Add, "cid", 5), (14, What::Add, "kim", 3)]);
    assert_eq!(plan.steps[1].arrival.as_ref().unwrap().groups, [7, 8]);
    assert_eq!(
        errors(&plan),
        [
            (5, "missing", "Dan"),
            (6, "bad-name", "Eve"),
            (7, "given-twice", "Ann"),
            (8, "given-twice", "Fay"),
            (9, "bad-value", "Gus"),
            (10, "bad-value", "Hal"),
            (11, "no-such-group", "Ian"),
            (12, "group-not-yours", "Jan"),
            (13, "name-taken", "Root"),
        ]
    );
    for error in &plan.errors {
        for language in [Language::Chinese, Language::English] {
            assert!(!error.error.words(language).contains('…'), "every parameter is there: {}", error.error.words(language));
        }
    }
}

#[test]
fn an_id_finds_its_account_and_a_name_one_that_has_no_id() {
    let mut other = standing(3, "cid", "");
    other.external = Some(("ldap:corp".into(), "3".into()));
    let here = town(vec![standing(1, "ann", "1"), standing(2, "bob", ""), other]);
    let list = parsed("id,account\n1,anna\n2,bob\n3,cid\n4,ann\n");
    let plan = plan(&list, &here, Mode::default());
    assert_eq!(shown(&plan), [(3, What::Change, "bob", 1)], "who was made by hand is theirs from now on");
    assert_eq!(errors(&plan), [(2, "name-stays", "anna"), (4, "of-another-source", "cid"), (5, "name-taken", "ann")]);
    // Without ids the names are the ids.
    let list = parsed("account,name\nzoe,Zoe\n");
    assert_eq!(startalk_intake::plan(&list, &here, Mode::default()).steps[0].arrival.as_ref().unwrap().external_id, "zoe");
}

fn ten() -> Vec<Standing> {
    (1..=10).map(|n| standing(n, &format!("p{n}"), &n.to_string())).collect()
}

fn without(missing: &[u64]) -> People {
    let rows: Vec<String> = (1..=10).filter(|n| !missing.contains(n)).map(|n| format!("{n},p{n}")).collect();
    parsed(&format!("id,account\n{}\n", rows.join("\n")))
}

#[test]
fn who_is_missing_is_disabled_only_if_the_list_is_everybody_and_never_too_many_unasked() {
    let here = town(ten());
    let everyone = Mode { everyone: true, disable: None };
    assert!(plan(&without(&[3, 4, 5]), &here, Mode::default()).steps.is_empty());
    let two = plan(&without(&[3, 4]), &here, everyone);
    assert_eq!(shown(&two), [(0, What::Disable, "p3", 1), (0, What::Disable, "p4", 1)]);
    assert_eq!(two.refused, None, "20 % exactly");
    let three = plan(&without(&[3, 4, 5]), &here, everyone);
    let refused = three.refused.clone().unwrap();
    assert!(refused.words(Language::English).contains("3 of 10"), "{refused}");
    assert_eq!(three.count(What::Disable), 3, "whom it would be is shown all the same");
    for (said, ok) in [(2, false), (4, false), (3, true)] {
        let plan = plan(&without(&[3, 4, 5]), &here, Mode { everyone: true, disable: Some(said) });
        assert_eq!(plan.refused.is_none(), ok, "{said}");
        assert_eq!(plan.digest, three.digest, "what is done is the same");
    }
    // Who is named in a row with an error is not missing, nor is who comes from elsewhere.
    let mut here = town(ten());
    here.all[0].external = None;
    here.all[1].external = Some(("ldap:corp".into(), "2".into()));
    let rows: Vec<String> = (3..=10).map(|n| format!("{n},p{n},{}", ["", "king"][usize::from(n < 6)])).collect();
    let wrong = parsed(&format!("id,account,role\n{}\n", rows.join("\n")));
    let plan_ = plan(&wrong, &here, everyone);
    assert_eq!((plan_.errors.len(), plan_.steps.len()), (3, 0));
}

#[test]
fn who_administers_is_kept_and_who_comes_back_is_let_in() {
    let mut here = town(ten());
    here.all[2].role = Role::Administrator;
    (here.all[3].disabled, here.all[3].absent) = (true, true);
    here.all[4].disabled = true;
    let plan_ = plan(&without(&[3]), &here, Mode { everyone: true, disable: None });
    assert_eq!(shown(&plan_), [(5 - 1, What::Change, "p4", 1), (0, What::Keep, "p3", 0)]);
    assert_eq!(plan_.steps[0].arrival.as_ref().unwrap().disabled, Some(false));
    assert_eq!(plan_.unchanged, 8, "whom an administrator disabled stays so");
    here.may_power = false;
    let list = parsed("id,account,role\n3,p3,member\n1,p1,auditor\n");
    assert_eq!(errors(&plan(&list, &here, Mode::default())), [(2, "forbidden", "p3"), (3, "forbidden", "p1")]);
}

#[test]
fn the_same_gives_the_same_digest_and_anything_else_another() {
    let here = town(ten());
    let list = "id,account,name\n1,p1,One\n11,p11,Eleven\n";
    let digest = |list: &str, here: &Present, everyone: bool| plan(&parsed(list), here, Mode { everyone, disable: None }).digest;
    let first = digest(list, &here, false);
    assert_eq!(first, digest(list, &here, false));
    assert_eq!(first, digest(&list.replace(',', ";"), &here, false), "the same people in another file");
    let mut others = vec![digest(&list.replace("One", "Uno"), &here, false), digest(list, &here, true)];
    for change in [
        |p: &mut Present| p.all[0].display_name = "Other".into(),
        |p: &mut Present| p.all.push(standing(11, "p11", "")),
        |p: &mut Present| p.source = "ldap:x".parse::<Source>().unwrap(),
    ] {
        let mut now = here.clone();
        change(&mut now);
        others.push(digest(list, &now, false));
    }
    others.push(first);
    let count = others.len();
    others.sort();
    others.dedup();
    assert_eq!(others.len(), count);
}

fn entry(id: &str, name: &str) -> Entry {
    let (id, display_name) = (Ok(id.to_owned()), name.to_uppercase());
    Entry { place: format!("uid={name},dc=d"), id, name: name.into(), display_name, groups: Vec::new(), gone: false }
}

/// Accounts as the directory `company` brought them in.
fn school(all: Vec<Standing>) -> Present {
    let of = |(source, id): (String, String)| if source == "file" { ("ldap:company".to_owned(), id) } else { (source, id) };
    let all = all.into_iter().map(|s| Standing { external: s.external.map(of), ..s }).collect();
    Present { source: "ldap:company".parse().unwrap(), all, ..Present::default() }
}

#[test]
fn entries_of_a_directory_are_people_or_say_what_is_wrong() {
    let unread = Err(Error::new(Code::BadValue).with("field", "entryUUID").with("expected", "one value"));
    let people = listed([
        entry("1", "Ann"),
        entry("2", "bob@company.example"),
        entry("3", "c i d"),
        entry("1", "dan"),
        entry("5", "ann"),
        Entry { id: unread, display_name: String::new(), ..entry("", "eve") },
        Entry { gone: true, ..entry("7", "fay") },
    ]);
    let names: Vec<&str> = people.wanted.iter().map(|w| w.name.as_str()).collect();
    assert_eq!((names, people.gone.len()), (vec!["ann", "bob"], 1));
    let plan = plan(&people, &school(Vec::new()), Mode::default());
    let wrong = [(3, "bad-name", "C I D"), (4, "given-twice", "DAN"), (5, "given-twice", "ANN"), (6, "bad-value", "eve")];
    assert_eq!(errors(&plan), wrong);
    let arrival = plan.steps[0].arrival.as_ref().unwrap();
    assert_eq!((arrival.source.as_str(), arrival.external_id.as_str(), arrival.disabled), ("ldap:company", "1", None));
}

#[test]
fn whom_a_directory_keeps_out_is_missing_and_who_stands_in_an_error_is_not() {
    let people = listed([entry("1", "ann"), Entry { gone: true, ..entry("2", "bob") }, entry("3", "not a name")]);
    let all = |n: u64| (1..=n).map(|n| standing(n, &format!("p{n}"), &n.to_string()));
    let named =
        |s: Standing| Standing { name: ["ann", "bob", "cid"][(s.account - 1) as usize].into(), display_name: "ANN".into(), ..s };
    let mut here: Vec<Standing> = all(3).map(named).collect();
    here.extend(all(10).skip(3));
    // Of ten one is kept out there; the seven who are not named are left alone unless it names everybody.
    let looked = plan(&people, &school(here.clone()), Mode::default());
    assert_eq!((shown(&looked), &looked.refused), (vec![(0, What::Disable, "bob", 1)], &None));
    let whole = plan(&people, &school(here.clone()), Mode { everyone: true, disable: None });
    assert_eq!((whole.count(What::Disable), whole.refused.map(|e| e.code)), (8, Some(Code::TooManyAbsent)));
    // Who is disabled here by hand stays so; who was missing comes back.
    let mut back = here.clone();
    back[0].disabled = true;
    assert_eq!(plan(&people, &school(back.clone()), Mode::default()).count(What::Change), 0);
    back[0].absent = true;
    assert_eq!(plan(&people, &school(back), Mode::default()).count(What::Change), 1);
}

#[test]
fn a_directory_gets_no_account_that_administers_for_a_name() {
    let by_hand = |role: Role| Standing { role, ..standing(1, "ann", "") };
    for (role, wrong) in [(Role::Member, 0), (Role::Auditor, 1), (Role::Administrator, 1)] {
        let plan = plan(&listed([entry("1", "ann")]), &school(vec![by_hand(role)]), Mode::default());
        assert_eq!((plan.errors.len(), plan.count(What::Change)), (wrong, 1 - wrong), "{role:?}");
    }
}
