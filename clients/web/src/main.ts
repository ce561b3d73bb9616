// The page's beginning: words and looks, the worker, the views, and when the page has nothing more urgent to do, the
// service worker.

import './storage'
import { mount } from 'svelte'
import App from './App.svelte'
import { start } from './offline/register'
import { connect } from './sdk/connect'
import { beginLook } from './theme/look.svelte'
import './theme/tokens.css'
import './theme/base.css'
import { begin } from './words'

/** As in package.json. */
const VERSION = '0.1.0'

async function run(): Promise<void> {
  beginLook()
  const sdk = connect()
  await begin()
  const target = document.getElementById('app')
  if (!target) throw new Error('the page has no place for the client')
  mount(App, { target, props: { sdk, version: VERSION } })
  if (import.meta.env.PROD) await start()
}

void run()
