// Every browser test, in the order in which they run.

import { accounts } from './accounts.mjs'
import { groups } from './groups.mjs'
import { history } from './history.mjs'
import { rooms } from './rooms.mjs'
import { screens } from './screens.mjs'
import { shell } from './shell.mjs'
import { talk } from './talk.mjs'

export const all = [...shell, ...talk, ...accounts, ...groups, ...rooms, ...screens, ...history]
