//! Switches that break this program on purpose, one at a time, so that a test can prove that the tests notice. Only in
//! builds with the feature `sabotage`, which tests turn on and releases do not; without it every switch is constantly off.
//!
//! `tests/sabotage` names, for each switch, the test that must fail.

macro_rules! switches {
    ($($name:ident $text:literal $what:literal;)*) => {
        /// What can be broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Switch { $(#[doc = $what] $name,)* }

        impl Switch {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The value of `STARTALK_SABOTAGE` that turns it on.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

switches! {
    AcknowledgeBeforeSync "acknowledge-before-sync" "A batch is taken for durable without a sync.";
    NoSignatureCheck "no-signature-check" "Every signature is taken for valid.";
    NoDedupe "no-dedupe" "A command sent again is executed again.";
    ItemsTwice "items-twice" "A link item that was had already takes effect again.";
    ItemsForgotten "items-forgotten" "Every sixteenth link item is acknowledged and has no effect.";
    NoMembershipCheck "no-membership-check" "Everybody may read every conversation.";
    OlderRecordAccepted "older-record-accepted" "A record with a lower sequence replaces a higher one.";
    BodiesNotErased "bodies-not-erased" "What was recalled stays in the journal.";
    WentBackUnnoticed "went-back-unnoticed" "A device's cursor beyond the journal's head is taken as it is.";
    ViewsNotCompared "views-not-compared" "The views' digest is not compared after an unclean stop.";
    NoDiskReserve "no-disk-reserve" "Commands that add are taken while the disk is nearly full.";
    NoRollback "no-rollback" "A refused command leaves what it had written so far.";
    SubmissionsNotProven "submissions-not-proven" "What a group's home says of other domains' people is taken without their domains' signatures.";
    AuthorsNotChecked "authors-not-checked" "A group's home lets its own people, or what was said before, speak for others.";
    SubmissionsTwice "submissions-twice" "A submission to a group that comes again is recorded again.";
    HeadsNotChecked "heads-not-checked" "A group's head is taken without its home's signature.";
    EquivocationUnnoticed "equivocation-unnoticed" "Two histories of one group are not compared.";
    IntervalsNotChecked "intervals-not-checked" "Members read what was said in a group while they were not in it.";
    FailedTooSoon "failed-too-soon" "What waits for a group's home is called failed before that is certain.";
    GroupRightsNotChecked "group-rights-not-checked" "A group's home records what its author may not do.";
    FormerEpochsForgotten "former-epochs-forgotten" "A peer that has less than what comes before our present epoch is not noticed.";
    AdministrationNotChecked "administration-not-checked" "Whoever asks may administer.";
    AnybodyWritesFirst "anybody-writes-first" "Who may write first is not obeyed.";
    AnsweredEveryTime "answered-every-time" "An automatic answer is given to every message.";
    PushedAlthoughRead "pushed-although-read" "What was read is pushed all the same.";
    PasskeysCountBackwards "passkeys-count-backwards" "A passkey whose count went back opens its account.";
    TicketsForAnybody "tickets-for-anybody" "A provider's ticket is good for whoever has it.";
    ShortListsDisable "short-lists-disable" "A list that lacks many people disables them unasked.";
    PairsApart "pairs-apart" "Two Chinese characters are found only if they are the first and second of a run, the third and fourth and so on.";
    FilesByHash "files-by-hash" "Whoever knows the hash of a file may read it and send it on.";
    ScheduledTwice "scheduled-twice" "A scheduled message that was said stays due.";
    BurntShownAgain "burnt-shown-again" "What has burnt is not erased, and shown.";
    ClaimAnyDomain "claim-any-domain" "The key of a link is not compared with the charter.";
}

/// Whether this switch is on, by the environment variable `STARTALK_SABOTAGE`.
#[cfg(feature = "sabotage")]
pub fn is(switch: Switch) -> bool {
    use std::sync::OnceLock;
    static ON: OnceLock<Option<String>> = OnceLock::new();
    ON.get_or_init(|| std::env::var("STARTALK_SABOTAGE").ok()).as_deref() == Some(switch.as_str())
}

/// Always off.
#[cfg(not(feature = "sabotage"))]
#[inline(always)]
pub const fn is(_: Switch) -> bool {
    false
}
