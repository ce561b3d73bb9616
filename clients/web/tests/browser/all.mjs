// Every browser test, in the order in which they run.

import { accounts } from './accounts.mjs'
import { admin } from './admin.mjs'
import { administering } from './administering.mjs'
import { finding } from './finding.mjs'
import { groups } from './groups.mjs'
import { history } from './history.mjs'
import { imports } from './imports.mjs'
import { push } from './push.mjs'
import { reading } from './reading.mjs'
import { rooms } from './rooms.mjs'
import { screens } from './screens.mjs'
import { shell } from './shell.mjs'
import { talk } from './talk.mjs'
import { deeds } from './deeds.mjs'
import { own } from './own.mjs'
import { notices } from './notices.mjs'
import { requests } from './requests.mjs'
import { security } from './security.mjs'
import { ways } from './ways.mjs'
import { workers } from './workers.mjs'

export const all = [...shell, ...talk, ...accounts, ...groups, ...deeds, ...requests, ...security, ...ways, ...notices, ...own, ...rooms, ...admin, ...administering, ...imports, ...push, ...reading, ...finding, ...workers, ...screens, ...history]
