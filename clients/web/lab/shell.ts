// The whole frame over a made-up account: `?n=100000` for a long conversation.
import { mount } from 'svelte'
import '../src/theme/tokens.css'
import '../src/theme/base.css'
import { beginLook } from '../src/theme/look.svelte'
import { begin } from '../src/words'
import { Fake } from './fake.svelte'
const talk = new Fake(Number(new URLSearchParams(location.search).get('n') ?? 400))
beginLook()
if (location.pathname.startsWith('/lab')) history.replaceState({}, '', new URLSearchParams(location.search).get('at') ?? '/')
await begin()
const { default: Shell } = await import('../src/app/Shell.svelte')
mount(Shell, { target: document.getElementById('app')!, props: { talk } })
Object.assign(window, { talk })
