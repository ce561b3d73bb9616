// axe looks at every screen, light and dark, in both languages, on a desktop and on a phone.

import { accessible, DESKTOP, PHONE, Window } from '../harness/person.mjs'
import { furnish, INSIDE, OUTSIDE, show } from '../harness/screens.mjs'
import * as steps from '../harness/steps.mjs'

const language = async (page, which) => page.evaluate((l) => localStorage.setItem('startalk.language', l), which)

async function look(test, page, screens, at, looks) {
  const found = []
  for (const [size, colorScheme, tongue] of looks) {
    await page.setViewportSize(size)
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await language(page, tongue)
    for (const [name, screen] of Object.entries(screens)) {
      await show(page, screen, test.world, at)
      await accessible(page, `${name}, ${size.width} px, ${colorScheme}, ${tongue}`).catch((error) => found.push(error.message))
    }
  }
  // All at once, so that one run says all that is to be mended.
  if (found.length) throw new Error(found.join('\n'))
}

export const screens = [
  {
    name: 'axe finds nothing serious on any screen: the ways in',
    async run(test) {
      const window = await Window.open(test.browser)
      test.windows.push(window)
      await look(test, await window.page(), OUTSIDE, '/', [[DESKTOP, 'light', 'en'], [PHONE, 'dark', 'zh']])
    },
  },
  {
    name: 'axe finds nothing serious on any screen: signed in',
    async run(test) {
      const window = await Window.open(test.browser)
      test.windows.push(window)
      const page = await steps.comeIn(test.world.alpha, window, 'axel')
      const at = await furnish(page, steps, 'axel@alpha.test')
      await look(test, page, INSIDE, at, [[DESKTOP, 'light', 'en'], [DESKTOP, 'dark', 'zh'], [PHONE, 'light', 'zh'], [PHONE, 'dark', 'en']])
    },
  },
]
