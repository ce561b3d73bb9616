// Mounts the scroller alone.

import { mount } from 'svelte'
import Lab from './Lab.svelte'
const lab = mount(Lab, { target: document.getElementById('app')! })
Object.assign(window, { lab })
