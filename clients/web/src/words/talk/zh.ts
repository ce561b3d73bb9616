import type { Translation } from '../chunks'
import type en from './en'

const zh: Translation<typeof en> = {
  appName: '星语',
}

export default zh
