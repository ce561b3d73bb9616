// Every browser test, in the order in which they run.

import { groups } from './groups.mjs'
import { history } from './history.mjs'
import { rooms } from './rooms.mjs'
import { screens } from './screens.mjs'
import { shell } from './shell.mjs'
import { talk } from './talk.mjs'

export const all = [...shell, ...talk, ...groups, ...rooms, ...screens, ...history]
