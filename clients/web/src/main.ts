// The page's beginning.

import { start } from './offline/register'

document.getElementById('app')!.textContent = 'Startalk'
if (import.meta.env.PROD) void start()
