//! Every switch of `startalk_protocol::sabotage` makes a named test fail; this is the list.

use startalk_protocol::sabotage::Switch;

/// A switch, and the test that must notice: package, test binary (`lib` for unit tests), test.
pub struct Caught {
    /// What is broken.
    pub switch: Switch,
    /// Whose test notices.
    pub package: &'static str,
    /// The test binary.
    pub binary: &'static str,
    /// The test's name.
    pub test: &'static str,
}

const fn caught(switch: Switch, package: &'static str, binary: &'static str, test: &'static str) -> Caught {
    Caught { switch, package, binary, test }
}

/// One for each switch at least.
pub const LIST: &[Caught] = &[
    caught(
        Switch::NoSignatureCheck,
        "startalk-protocol",
        "startalk_protocol",
        "signing::tests::a_signature_is_good_for_one_purpose_one_key_and_one_text",
    ),
    caught(Switch::FilesByHash, "startalk-domain", "files", "a_hash_that_somebody_knows_gives_nothing"),
    caught(Switch::NoDedupe, "startalk-domain", "one_domain", "a_command_sent_again_is_answered_and_not_executed_again"),
    caught(Switch::ItemsTwice, "startalk-domain", "two_domains", "an_item_takes_effect_once_and_in_its_place"),
    caught(Switch::NoMembershipCheck, "startalk-domain", "one_domain", "two_people_talk_and_both_see_one_order"),
    caught(Switch::NoDiskReserve, "startalk-domain", "one_domain", "a_full_disk_refuses_what_adds_and_lets_go_what_frees"),
    caught(
        Switch::AcknowledgeBeforeSync,
        "startalk-sequencer",
        "crashes",
        "nothing_acknowledged_is_lost_or_doubled_over_power_cuts_and_kills",
    ),
    caught(Switch::BodiesNotErased, "startalk-sequencer", "erasing", "what_was_recalled_is_nowhere_on_the_disk"),
    caught(Switch::OlderRecordAccepted, "startalk-protocol", "startalk_protocol", "trust::tests::what_is_pinned_never_goes_back"),
    caught(Switch::WentBackUnnoticed, "startalk-domain", "one_domain", "a_cursor_that_does_not_fit_the_journal_is_noticed"),
    caught(
        Switch::ClaimAnyDomain,
        "startalk-link",
        "scenarios",
        "handshake::the_key_that_tls_showed_must_be_among_the_peers_keys",
    ),
    caught(
        Switch::FormerEpochsForgotten,
        "startalk-link",
        "scenarios",
        "parted::two_restores_on_different_sides_in_a_row_lose_nothing",
    ),
    caught(Switch::ViewsNotCompared, "startalk", "startalk", "store::tests::views_that_lost_a_page_are_made_anew"),
    caught(Switch::NoRollback, "startalk-domain", "one_domain", "a_command_that_fails_half_way_is_undone"),
    caught(
        Switch::SubmissionsNotProven,
        "startalk-domain",
        "lying_homes",
        "a_third_domain_believes_no_home_what_it_says_of_others",
    ),
    caught(Switch::AuthorsNotChecked, "startalk-domain", "lying_homes", "a_home_does_not_speak_for_those_of_others"),
    caught(
        Switch::SubmissionsTwice,
        "startalk-domain",
        "group_replicas",
        "what_is_submitted_again_is_recorded_once_and_other_words_under_its_number_never",
    ),
    caught(
        Switch::HeadsNotChecked,
        "startalk-domain",
        "lying_homes",
        "a_home_can_neither_invent_nor_change_nor_tell_two_stories",
    ),
    caught(
        Switch::EquivocationUnnoticed,
        "startalk-domain",
        "lying_homes",
        "a_home_can_neither_invent_nor_change_nor_tell_two_stories",
    ),
    caught(Switch::IntervalsNotChecked, "startalk-domain", "groups", "who_was_away_reads_nothing_of_what_was_said_meanwhile"),
    caught(Switch::FailedTooSoon, "startalk-domain", "group_replicas", "failed_is_said_when_it_is_certain_and_not_before"),
    caught(
        Switch::AdministrationNotChecked,
        "startalk-domain",
        "administration",
        "who_may_administer_is_asked_of_the_role_and_of_the_scopes",
    ),
    caught(Switch::GroupRightsNotChecked, "startalk-domain", "groups", "roles_and_rights_hold"),
    caught(
        Switch::PairsApart,
        "startalk-search",
        "rights_and_substrings",
        "every_part_of_what_one_may_read_finds_it_and_nothing_else_comes_out",
    ),
    caught(Switch::AnybodyWritesFirst, "startalk-domain", "own", "who_may_write_first_is_one_rule_for_people_here_and_elsewhere"),
    caught(Switch::AnsweredEveryTime, "startalk-domain", "own", "an_answer_is_given_once_a_day_and_never_to_an_answer"),
    caught(Switch::PushedAlthoughRead, "startalk-domain", "notify", "a_message_is_told_until_it_is_read_taken_back_or_muted"),
    caught(Switch::PasskeysCountBackwards, "startalk-domain", "ways", "a_passkey_opens_one_account_and_counts_upwards"),
    caught(
        Switch::TicketsForAnybody,
        "startalk-gateway",
        "startalk_gateway",
        "away::tests::a_ticket_is_good_once_for_who_began_and_for_what",
    ),
    caught(
        Switch::ShortListsDisable,
        "startalk-intake",
        "plans",
        "who_is_missing_is_disabled_only_if_the_list_is_everybody_and_never_too_many_unasked",
    ),
    caught(Switch::ScheduledTwice, "startalk-domain", "later", "a_scheduled_message_is_said_at_its_time_once_and_by_its_author"),
    caught(Switch::BurntShownAgain, "startalk-domain", "burning", "what_was_opened_is_gone_after_its_time_and_never_shown_again"),
    // The simulation notices by what it compares, whatever the cause; those that need more seeds than a few are in its own test.
    caught(Switch::AcknowledgeBeforeSync, "startalk-simulation", "seeds", "a_few_seeds_hold"),
    caught(Switch::NoDedupe, "startalk-simulation", "seeds", "a_few_seeds_hold"),
    caught(Switch::ItemsTwice, "startalk-simulation", "seeds", "a_few_seeds_hold"),
    caught(Switch::ItemsForgotten, "startalk-simulation", "seeds", "a_few_seeds_hold"),
    caught(Switch::NoMembershipCheck, "startalk-simulation", "seeds", "a_few_seeds_hold"),
    caught(Switch::NoRollback, "startalk-simulation", "seeds", "a_few_seeds_hold"),
    caught(Switch::WentBackUnnoticed, "startalk-simulation", "seeds", "a_few_seeds_hold"),
    caught(Switch::NoDiskReserve, "startalk-simulation", "seeds", "a_few_seeds_hold"),
    caught(Switch::IntervalsNotChecked, "startalk-simulation", "seeds", "a_few_seeds_hold"),
    caught(Switch::FormerEpochsForgotten, "startalk-simulation", "seeds", "a_few_seeds_hold"),
];
