// Two nodes whose people have played the scene.

import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'
import { World } from '../harness/world.mjs'
import { SceneClock } from './clock.mjs'

const here = dirname(fileURLToPath(import.meta.url))

export async function stage(programs) {
  let clock
  const world = await World.make(
    programs,
    [{ domain: 'harbour.example', displayName: 'Harbour' }, { domain: 'northwind.example', displayName: 'Northwind' }],
    (folder) => {
      clock = new SceneClock(folder)
      clock.at(5, '08:00')
      return clock.environment()
    },
  )
  const leave = () => world.end(process.env.STARTALK_WEB_KEEP === '1')
  try {
    const began = performance.now()
    const { module } = await runnerImport(join(here, 'scene.ts'), { configFile: false, logLevel: 'error' })
    const scene = await module.play(world.alpha, world.beta, clock)
    console.log(`the scene was played in ${Math.round(performance.now() - began)} ms`)
    return { world, scene, end: async () => { scene.end(); await leave() } }
  } catch (error) {
    await leave()
    throw error
  }
}
