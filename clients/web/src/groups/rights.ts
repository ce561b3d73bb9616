// What somebody may do in a group, read from its rights and their role. Asked early so that nobody is offered what would
// be refused; the group's home decides. federation-spec/07-groups.md §7.6. Pure.

import type { Group, Role, Who } from '../rooms/node'

const RANK: Record<Role, number> = { member: 0, administrator: 1, owner: 2 }
const NEEDED: Record<Who, number> = { members: 0, administrators: 1, owner: 2 }

type Mine = Pick<Group, 'rights' | 'role' | 'standing' | 'mutedUntilMs'>

const isIn = (g: Mine): boolean => g.standing === 'member'

export const may = (g: Mine, right: 'post' | 'add' | 'atAll' | 'pin' | 'texts'): boolean =>
  isIn(g) && RANK[g.role] >= NEEDED[g.rights[right]] && (right !== 'add' || g.rights.joining !== 'closed')

export const isAdministrator = (g: Mine): boolean => isIn(g) && RANK[g.role] >= 1
export const isOwner = (g: Mine): boolean => isIn(g) && g.role === 'owner'

/** Whether somebody stands below: only those can be muted, removed and banned. */
export const below = (mine: Role, theirs: Role): boolean => RANK[mine] >= 1 && RANK[theirs] < RANK[mine]
