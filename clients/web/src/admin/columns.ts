// What the columns of a file of people are called here.

import type { say } from '../words'

export const columnWords = (t: ReturnType<typeof say<'admin'>>) => (code: string): string => {
  const words: Readonly<Record<string, string>> = {
    external_id: t('colExternalId'), account: t('colAccount'), display_name: t('colDisplayName'), role: t('colRole'), disabled: t('colDisabled'), groups: t('colGroups'),
  }
  return words[code] ?? code
}
