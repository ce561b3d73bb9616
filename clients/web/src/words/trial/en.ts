// A domain for trying: what is said of the account's end.

const en = {
  trial: 'This is a trial.',
  ends: { one: 'The account ends in {n} day, on {when}, and is then deleted.', other: 'The account ends in {n} days, on {when}, and is then deleted.' },
  endsToday: 'The account ends today, {when}, and is then deleted.',
} as const

export default en
