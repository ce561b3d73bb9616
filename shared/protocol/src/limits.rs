//! Every limit on what comes from outside, with its unit and its reason.

/// Bytes of one frame between a client and its node: the largest message (64 KiB of text, its structure) with room.
pub const CLIENT_FRAME_BYTES_MAX: usize = 256 * 1024;
/// Bytes of one frame on a link: 64 items of ordinary size, or a few of the largest.
pub const LINK_FRAME_BYTES_MAX: usize = 1024 * 1024;
/// Items under one signature on a link: 75 µs of signing and checking spread over 64 is about 1 µs each.
pub const LINK_BATCH_ITEMS_MAX: usize = 64;
/// Bytes of one link item: a message of the largest content and its envelope.
pub const LINK_ITEM_BYTES_MAX: usize = 192 * 1024;
/// Items sent on a link and not acknowledged yet; more would only sit in the peer's queue.
pub const LINK_ITEMS_OUTSTANDING_MAX: u64 = 2048;
/// Bytes of what one message says, encoded.
pub const CONTENT_BYTES_MAX: usize = 128 * 1024;
/// Bytes of plain text in one message (FEATURES §5: longer text becomes a file).
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Blocks in one message.
pub const BLOCKS_MAX: usize = 2000;
/// Inlines in one message.
pub const INLINES_MAX: usize = 10_000;
/// Nesting of lists and quotes.
pub const BLOCK_LEVEL_MAX: u32 = 7;
/// Bytes of a link or mention inside a text.
pub const LINK_TEXT_BYTES_MAX: usize = 2048;
/// Characters of a display name.
pub const DISPLAY_NAME_CHARS_MAX: usize = 64;
/// Bytes of a profile's signature line.
pub const SIGNATURE_BYTES_MAX: usize = 512;
/// Bytes of an avatar reference.
pub const AVATAR_BYTES_MAX: usize = 256;
/// Bytes of a device's name.
pub const DEVICE_NAME_BYTES_MAX: usize = 128;
/// Bytes of a password: argon2 hashes any length, an attacker should not choose how much.
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// Characters of a new password at least.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Devices of one account.
pub const DEVICES_MAX: usize = 64;
/// Commands of one device that have no answer yet.
pub const OUTSTANDING_MAX: usize = 64;
/// Answers kept for each device, so that a command sent again is answered and not executed again.
pub const ANSWERS_KEPT: usize = 256;
/// Messages in one page of history.
pub const PAGE_MESSAGES_MAX: usize = 200;
/// Bytes of one page of history, about.
pub const PAGE_BYTES_MAX: usize = 200 * 1024;
/// Open requests from one domain to one person; the next is refused.
pub const REQUESTS_PER_DOMAIN_MAX: usize = 20;
/// Entries that one person may block.
pub const BLOCKED_MAX: usize = 10_000;
/// Conversations that one person may pin: more would push the list itself off the screen.
pub const PINNED_MAX: usize = 100;
/// Persons about whom somebody keeps a remark or a star.
pub const PERSONS_KEPT_MAX: usize = 5000;
/// Characters of what somebody says of their presence.
pub const STATUS_CHARS_MAX: usize = 128;
/// Stretches of a weekly schedule: two for each day.
pub const SCHEDULE_SPANS_MAX: usize = 14;
/// Bytes of a time zone's name; the longest that there is has 32.
pub const ZONE_BYTES_MAX: usize = 64;
/// Characters of an automatic answer.
pub const AUTO_REPLY_CHARS_MAX: usize = 1000;
/// Characters of the question to who writes first, and of its answer.
pub const QUESTION_CHARS_MAX: usize = 200;
/// Bytes of a domain's signed record.
pub const RECORD_BYTES_MAX: usize = 16 * 1024;
/// Endpoints in a record.
pub const ENDPOINTS_MAX: usize = 16;
/// Link keys in a charter: two may overlap, and old ones are kept for a while.
pub const LINK_KEYS_MAX: usize = 8;
/// Changes of root key in a charter.
pub const SUCCESSIONS_MAX: usize = 32;
/// How long a link key may be valid, in milliseconds: 90 days.
pub const LINK_KEY_VALID_MS_MAX: i64 = 90 * 24 * 3600 * 1000;
/// How far ahead a record may promise, in milliseconds: 48 hours.
pub const RECORD_VALID_MS_MAX: i64 = 48 * 3600 * 1000;
/// How far two honest clocks may differ, in milliseconds.
pub const CLOCK_SKEW_MS_MAX: i64 = 5 * 60 * 1000;
/// How long an author may recall a message, unless the domain says otherwise, in milliseconds.
pub const RECALL_WINDOW_MS_DEFAULT: i64 = 2 * 60 * 1000;
/// How long an author may edit a message, unless the domain says otherwise, in milliseconds: 48 hours.
pub const EDIT_WINDOW_MS_DEFAULT: i64 = 48 * 3600 * 1000;
/// Uses of one invitation.
pub const INVITATION_USES_MAX: u32 = 10_000;
/// Recovery codes given to an account.
pub const RECOVERY_CODES: usize = 8;
/// Bytes of a domain's description in its record: two lines on a hub's page.
pub const DOMAIN_DESCRIPTION_BYTES_MAX: usize = 512;
/// Bytes of items in one batch that we make, about: on a slow uplink an ack must get between two batches.
pub const LINK_BATCH_BYTES_MAX: usize = 256 * 1024;
/// Bytes of any link frame that is not a batch.
pub const LINK_SMALL_FRAME_BYTES_MAX: usize = 256 * 1024;
/// Bytes of the first frame on a link, which comes from somebody not judged yet: a record, names, features.
pub const LINK_HELLO_BYTES_MAX: usize = 32 * 1024;
/// Bytes given to a link to send and not taken by the transport yet; past it the link takes no more.
pub const LINK_UNSENT_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of items received on a link and not recorded yet; past it the link stops reading.
pub const LINK_UNRECORDED_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Features named in a hello.
pub const LINK_FEATURES_MAX: usize = 32;
/// Bytes of a feature's name, of a-z 0-9 and `-`.
pub const LINK_FEATURE_BYTES_MAX: usize = 32;
/// Refusals in one ack.
pub const LINK_REFUSED_MAX: usize = 64;
/// Parameters of an error on a link; more are left out.
pub const LINK_ERROR_PARAMS_MAX: usize = 8;
/// Bytes of an error's code, or of a parameter's name or value, on a link; more are cut.
pub const LINK_ERROR_TEXT_BYTES_MAX: usize = 256;
/// Bytes of an ephemeral, framed for a datagram: fits any path's packet.
pub const LINK_EPHEMERAL_BYTES_MAX: usize = 512;
/// Bytes of a presence on a link: the longest there is, with room for later ones.
pub const LINK_PRESENCE_BYTES_MAX: usize = 16;
/// Ephemerals waiting in one direction of a link; the oldest is dropped.
pub const LINK_EPHEMERALS_QUEUED_MAX: usize = 256;
/// Events waiting to be taken from a link; past it the link stops reading.
pub const LINK_EVENTS_QUEUED_MAX: usize = 1024;
/// How long an accepted link waits for the hello, in milliseconds.
pub const LINK_HELLO_MS_MAX: u64 = 10_000;
/// How long until both sides of a link agreed, in milliseconds: a first judgement may have to ask DNS and the web.
pub const LINK_OPENING_MS_MAX: u64 = 30_000;
/// Silence in either direction of a link after which a ping is sent, in milliseconds.
pub const LINK_PING_MS: u64 = 15_000;
/// Silence of the peer after which a link is dead, in milliseconds: two pings were not answered.
pub const LINK_DEAD_MS: u64 = 45_000;
/// How long a link that may be dead has to answer when its domain comes again, in milliseconds.
pub const LINK_PROBE_MS: u64 = 5_000;
/// Domains that are known; past it another one is only if somebody here wrote to it first, or it was allowed.
pub const DOMAINS_UNASKED_MAX: u64 = 100_000;
/// Members of one group.
pub const GROUP_MEMBERS_MAX: u64 = 10_000;
/// The highest number of a member: who came once keeps theirs. A replica looks through everybody up to the highest.
pub const GROUP_MEMBER_NUMBER_MAX: u64 = 1 << 20;
/// Members that a group begins with besides who begins it; further ones are added. All of them are recorded in one batch,
/// with up to four records each when they and their domains were never heard of, and a batch has a limit.
pub const GROUP_BEGUN_WITH_MAX: usize = 200;
/// Domains that members of one group come from: each is told of every record.
pub const GROUP_DOMAINS_MAX: usize = 200;
/// Characters of a group's name.
pub const GROUP_NAME_CHARS_MAX: usize = 64;
/// Bytes of a group's notice: a page of text.
pub const GROUP_NOTICE_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a group's description.
pub const GROUP_DESCRIPTION_BYTES_MAX: usize = 2 * 1024;
/// Pinned messages of one group: what nobody would scroll through is no pin board.
pub const GROUP_PINS_MAX: usize = 50;
/// Links into one group that are valid at a time.
pub const GROUP_LINKS_MAX: usize = 20;
/// Persons and domains banned from one group.
pub const GROUP_BANNED_MAX: usize = 1000;
/// People who wait to be admitted to one group.
pub const GROUP_ASKED_MAX: u64 = 200;
/// People of one domain of whom the home says how it stands with their asking, the latest.
pub const GROUP_APPLICANTS_TOLD_MAX: usize = 256;
/// Bytes of the word with which somebody asks to be admitted.
pub const GROUP_WORD_BYTES_MAX: usize = 512;
/// Members whose reading is told one by one; of larger groups nobody is.
pub const GROUP_READERS_MAX: u64 = 500;
/// Bytes of a reaction: the longest emoji sequences have 35.
pub const REACTION_BYTES_MAX: usize = 48;
/// Different reactions to one message.
pub const REACTION_KINDS_MAX: usize = 20;
/// Members that one page lists.
pub const MEMBERS_PAGE_MAX: usize = 256;
/// How long a submission to a group elsewhere may wait for its home, in milliseconds: 24 hours.
pub const GROUP_SUBMISSION_MS: i64 = 24 * 3600 * 1000;
/// Submissions of one domain to one group that wait for its home.
pub const GROUP_WAITING_MAX: usize = 1000;
/// Submissions of one domain to one group that the home remembers, to know one that comes again.
pub const GROUP_SUBMISSIONS_KEPT: usize = 256;
/// Entries of a group's log in one range: what one signature of the home covers.
pub const GROUP_RANGE_ENTRIES_MAX: usize = 256;
/// Bytes of entries in one range, about.
pub const GROUP_RANGE_BYTES_MAX: usize = 384 * 1024;
/// Invitations to groups elsewhere that wait for one account's decision.
pub const GROUP_INVITATIONS_MAX: usize = 100;
/// Questions on a link that have no answer yet, in one direction.
pub const LINK_ASKS_MAX: usize = 32;
/// Bytes of a question or a note on a link.
pub const LINK_ASK_BYTES_MAX: usize = 64 * 1024;
/// Bytes of answers on a link that the transport has not taken; past it an answer is "ask again".
pub const LINK_ANSWERS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of notes on a link that the transport has not taken; past it they are dropped.
pub const LINK_NOTES_BYTES_MAX: usize = 1024 * 1024;
/// Places in the peer's former items that a hello names: some 6 kB of its frame.
pub const LINK_KNOWN_MAX: usize = 96;
/// New epochs that one peer's word makes us begin in [`LINK_RESTARTS_MS`] without waiting. An honest peer shows each restore
/// once; only two copies of a domain that run at once make more. Each further one waits twice as long as the one before.
pub const LINK_RESTARTS_MAX: usize = 4;
/// How long the first of the further ones waits after the one before it: a minute.
pub const LINK_RESTART_PAUSE_MS: u64 = 60 * 1000;
/// New epochs of a link that are remembered; the pauses have grown to days by then.
pub const LINK_RESTARTS_KEPT: usize = 16;
/// The time in which they are counted: a day.
pub const LINK_RESTARTS_MS: u64 = 24 * 3600 * 1000;
/// Bytes of the URL at which a push service reaches a device: those in use have some 200.
pub const PUSH_ENDPOINT_BYTES_MAX: usize = 1024;
/// Bytes of a device's public key for pushes: an uncompressed point of P-256 (RFC 8291).
pub const PUSH_KEY_BYTES: usize = 65;
/// Bytes of the secret that a device shares with who may write to it (RFC 8291).
pub const PUSH_AUTH_BYTES: usize = 16;
/// Bytes of what a push says, before it is encrypted: push services take 4,096 encrypted ones.
pub const PUSH_PAYLOAD_BYTES_MAX: usize = 3072;
/// Words of which an account wants to be told.
pub const KEYWORDS_MAX: usize = 50;
/// Characters of one of them.
pub const KEYWORD_CHARS_MAX: usize = 64;
/// Tokens for administration that are valid at a time: one for each program that has one.
pub const ADMIN_TOKENS_MAX: usize = 100;
/// Characters of the name of such a token.
pub const ADMIN_TOKEN_NAME_CHARS_MAX: usize = 64;
/// How long such a token may be good, in milliseconds: a year and a day.
pub const ADMIN_TOKEN_VALID_MS_MAX: i64 = 366 * 24 * 3600 * 1000;
/// How long an invitation may be good, in milliseconds: a year and a day.
pub const INVITATION_VALID_MS_MAX: i64 = 366 * 24 * 3600 * 1000;
/// Groups that an invitation or a line of a file may bring somebody into.
pub const GROUPS_TO_JOIN_MAX: usize = 20;
/// Characters of the id that an account has where it comes from.
pub const EXTERNAL_ID_CHARS_MAX: usize = 128;
/// Bytes of the name of a source of accounts.
pub const SOURCE_BYTES_MAX: usize = 64;
/// Bytes of a file of people.
pub const INTAKE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of everything packed in such a file: what a spreadsheet of so many rows takes, and not more than a node can spare.
pub const INTAKE_UNPACKED_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Rows of such a file without its head.
pub const INTAKE_ROWS_MAX: usize = 10_000;
/// Its columns.
pub const INTAKE_COLUMNS_MAX: usize = 64;
/// Bytes of one of its cells.
pub const INTAKE_CELL_BYTES_MAX: usize = 1024;
/// How long after a device signed in its being there proves whose it is, for an account without a password, in milliseconds.
pub const FRESH_SIGN_IN_MS: u64 = 10 * 60 * 1000;
/// The most that a domain may ask of a new password, in characters: more would be refused to everybody.
pub const PASSWORD_CHARS_MIN_MAX: u32 = 128;
/// The longest time in which a domain may let people recall or edit, in milliseconds: a hundred years.
pub const WINDOW_MS_MAX: i64 = 100 * 366 * 24 * 3600 * 1000;
/// The longest time for which a domain may say that messages are kept, in days: a hundred years. For ever is 0.
pub const RETENTION_DAYS_MAX: u32 = 36_600;
/// The greatest quota: beyond it is no limit meant. JSON's numbers hold it.
pub const QUOTA_MAX: u64 = 1 << 50;
/// Entries in one page of what an administrator lists.
pub const ADMIN_PAGE_MAX: usize = 200;
/// Entries that are looked at for one page: a search that finds nothing ends, and goes on from there.
pub const ADMIN_SCAN_MAX: usize = 5_000;
/// Ways to sign in that a domain's record names: a domain has a few providers.
pub const SIGN_IN_WAYS_MAX: usize = 16;
/// Bytes of the id of a way to sign in.
pub const SIGN_IN_ID_BYTES_MAX: usize = 64;
/// Identities of providers that one account has.
pub const IDENTITIES_MAX: usize = 16;
/// Passkeys of one account.
pub const PASSKEYS_MAX: usize = 32;
/// Bytes of a provider's issuer, and of the subject it names: 255 in OpenID Connect, names in directories are longer.
pub const IDENTITY_BYTES_MAX: usize = 1024;
/// Characters of what people know an identity by, and of a passkey's name.
pub const IDENTITY_LABEL_CHARS_MAX: usize = 128;
/// Bytes of a credential as a browser says it: those without attestation have about one thousand.
pub const PASSKEY_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a file at most, whatever a domain allows: a tebibyte, so that sizes of files can be added up.
pub const FILE_BYTES_LIMIT: u64 = 1 << 40;
/// Bytes of a file that a domain takes unless it says otherwise (FEATURES §6).
pub const FILE_BYTES_MAX_DEFAULT: u64 = 200 * 1024 * 1024;
/// Bytes of files that one account may hold unless the domain says otherwise.
pub const FILES_PER_ACCOUNT_BYTES_DEFAULT: u64 = 5 * 1024 * 1024 * 1024;
/// Bytes of copies of other domains' files unless the domain says otherwise.
pub const CACHE_BYTES_MAX_DEFAULT: u64 = 2 * 1024 * 1024 * 1024;
/// Days for which an unused copy of another domain's file is kept unless the domain says otherwise.
pub const CACHE_DAYS_DEFAULT: u32 = 30;
/// Days at most.
pub const CACHE_DAYS_MAX: u32 = 3650;
/// Bytes of a file in one answer on a link: a small part of what a frame may have, so that messages come in between.
pub const LINK_FILE_BYTES_MAX: usize = 128 * 1024;
/// Files that one message refers to, copies of pictures and what is forwarded in it included.
pub const FILES_PER_MESSAGE_MAX: usize = 200;
/// Pictures of one album.
pub const ALBUM_PICTURES_MAX: usize = 30;
/// Bytes of a file's name.
pub const FILE_NAME_BYTES_MAX: usize = 255;
/// Bytes of a media type (RFC 6838: two names of at most 127).
pub const MEDIA_TYPE_BYTES_MAX: usize = 254;
/// Pixels of a picture's side; no format of ours has more.
pub const PICTURE_SIDE_MAX: u32 = 65_535;
/// Bytes of a ThumbHash, with room.
pub const BLUR_BYTES_MAX: usize = 40;
/// Bars of a voice message's waveform.
pub const WAVEFORM_BYTES_MAX: usize = 128;
/// How long voice or a video may say that it is, in milliseconds: a day.
pub const DURATION_MS_MAX: u32 = 24 * 3600 * 1000;
/// Bytes of a sticker's code or its pack's name.
pub const STICKER_WORD_BYTES_MAX: usize = 64;
/// Bytes of a line of a card: a place, a title.
pub const CARD_LINE_BYTES_MAX: usize = 512;
/// Bytes of the longer text of a card.
pub const CARD_TEXT_BYTES_MAX: usize = 2048;
/// Messages forwarded as one.
pub const TRANSCRIPT_LINES_MAX: usize = 100;
/// Transcripts in each other.
pub const TRANSCRIPT_DEPTH_MAX: usize = 3;
/// How long somebody who made the other person look waits until the next time, in milliseconds.
pub const SHAKE_GAP_MS: u64 = 5000;
/// How far ahead something may be scheduled, in milliseconds: a year and a day.
pub const LATER_MS_MAX: u64 = 366 * 24 * 3600 * 1000;
/// Messages that one account has scheduled at a time.
pub const SCHEDULED_MAX: usize = 100;
/// Reminders of one account.
pub const REMINDERS_MAX: usize = 200;
/// Characters of a note that somebody makes for themselves.
pub const NOTE_CHARS_MAX: usize = 1000;
/// The longest time after which an opened message burns, in seconds: seven days.
pub const BURN_S_MAX: u32 = 7 * 24 * 3600;
/// Messages that one account keeps for itself.
pub const SAVED_MAX: usize = 10_000;
/// Stickers that one account has.
pub const STICKERS_MAX: usize = 500;
/// Bytes of one of them: content.Sticker, with its file's name.
pub const STICKER_BYTES_MAX: usize = 4096;
/// Messages in one mark of what somebody has listened to.
pub const PLAYED_AT_ONCE_MAX: usize = 256;
/// Words for what a domain can do, in its record.
pub const NAVIGATION_FEATURES_MAX: usize = 64;
/// Bytes of one of them.
pub const NAVIGATION_FEATURE_BYTES_MAX: usize = 32;
/// Days for which accounts of a domain for trying may be good: as many as messages may be kept.
pub const TRIAL_DAYS_MAX: u32 = 36_600;
