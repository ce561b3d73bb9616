// Why one is in a group, or not, in words.

import type { Group } from '../rooms/node'
import { say } from '../words'

/** Empty for members. */
export function standingWords(group: Pick<Group, 'standing' | 'home'>): string {
  const t = say('groups')
  const domain = group.home
  switch (group.standing) {
    case 'member': return ''
    case 'joining': return t('standingJoining', { domain })
    case 'asked': return t('standingAsked')
    case 'leaving': return t('standingLeaving', { domain })
    case 'left': return t('standingLeft')
    case 'removed': return t('standingRemoved')
    case 'banned': return t('standingBanned')
    case 'refused': return t('standingRefused')
    case 'destroyed': return t('standingDestroyed')
    case 'suspect': return t('standingSuspect', { domain })
    case 'renewed': return t('standingRenewed', { domain })
  }
}
