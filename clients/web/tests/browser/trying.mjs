// A domain for trying: the client says until when the account is good, and gives its data to take along.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { pair } from './talk.mjs'

export const trying = [
  {
    name: 'on a trial domain the account says when it ends, and its data is downloaded whole',
    async run(test) {
      const { alpha } = test.world
      const { ann, ben } = await pair(test)
      const page = ann.page
      const banner = page.locator('[data-trial]')
      assert.equal(await banner.count(), 0)
      await alpha.ask('policy', '--trial-days', '30', '--registration', 'open')
      try {
        await page.reload()
        await banner.first().getByText(/The account ends in (29|30) days/).waitFor()
        await page.goto('https://alpha.test/settings/invite')
        // The domain's own link: with it somebody new makes an account, without an invitation.
        const link = page.getByText('https://alpha.test/', { exact: true })
        await link.waitFor()
        await page.getByRole('button', { name: 'QR code of the link' }).first().click()
        await page.getByRole('img', { name: 'QR code of the link' }).waitFor()
        await page.goto('https://alpha.test/settings/account')
        const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download', exact: true }).click()])
        assert.match(download.suggestedFilename(), /^startalk-ann.*\.jsonl$/)
        const lines = (await readFile(await download.path(), 'utf8')).trimEnd().split('\n').map((line) => JSON.parse(line))
        assert.deepEqual([lines[0].kind, lines[0].user, lines.at(-1).kind], ['startalk-export', ann.user, 'end'])
        assert.equal(lines.at(-1).lines, lines.length - 1)
        assert.equal(lines.filter((line) => line.kind === 'message').length, 2)
        assert.equal(lines.find((line) => line.kind === 'conversation').with, ben.user)
      } finally {
        await alpha.ask('policy', '--trial-days', '0', '--registration', 'invitation')
      }
      await page.goto('https://alpha.test/')
      await page.reload()
      await page.getByRole('navigation').first().waitFor()
      await banner.first().waitFor({ state: 'detached' })
    },
  },
]
