// Every browser test, in the order in which they run.

import { shell } from './shell.mjs'
import { talk } from './talk.mjs'

export const all = [...shell, ...talk]
