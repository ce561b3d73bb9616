import type { Translation } from '../chunks'
import type en from './en'

const zh: Translation<typeof en> = {
  trial: '这是试用域。',
  ends: { other: '帐号将在 {n} 天后（{when}）到期并被删除。' },
  endsToday: '帐号今天（{when}）到期并被删除。',
}

export default zh
