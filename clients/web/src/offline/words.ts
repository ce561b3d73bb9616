// The words of notifications that the service worker shows while no page is there. They stand here and not in `src/words`
// because nothing that the page loads may be part of the service worker: it is one file.

export type Language = 'zh' | 'en'

export interface Words {
  /** When nothing of the message is to be shown. */
  readonly something: string
  readonly new: (n: number) => string
  readonly request: (from: string) => string
  readonly stranger: string
  readonly invitation: (from: string) => string
  readonly invited: string
  readonly reminder: string
  readonly reminded: string
  readonly code: string
  readonly other: string
  readonly called: string
  readonly everybody: string
}

export const WORDS: Readonly<Record<Language, Words>> = {
  en: {
    something: 'New message',
    new: (n) => (n >= 100 ? '99+ new messages' : n === 1 ? '1 new message' : `${n} new messages`),
    request: (from) => `${from} would like to write to you`,
    stranger: 'Somebody new would like to write to you',
    invitation: (from) => `${from} invites you into a group`,
    invited: 'You are invited into a group',
    reminder: 'Reminder',
    reminded: 'You wanted to be reminded',
    code: 'Code',
    other: 'A message',
    called: 'mentioned you',
    everybody: 'mentioned everybody',
  },
  zh: {
    something: '新消息',
    new: (n) => (n >= 100 ? '99+ 条新消息' : `${n} 条新消息`),
    request: (from) => `${from} 想与你联系`,
    stranger: '有新的联系人想与你联系',
    invitation: (from) => `${from} 邀请你加入一个群`,
    invited: '有人邀请你加入一个群',
    reminder: '提醒',
    reminded: '到了你设定的提醒时间',
    code: '代码',
    other: '一条消息',
    called: '提到了你',
    everybody: '提到了所有人',
  },
}
