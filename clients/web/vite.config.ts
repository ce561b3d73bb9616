// One page, its workers, and the service worker under the fixed name that its updates need. Everything else has its
// content's hash in its name. `STARTALK_WEB_OUT` says where to: the node's build makes its own copy.

import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'

const node = process.env['STARTALK_NODE'] ?? 'https://127.0.0.1:8443'

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: 'es2024',
    outDir: process.env['STARTALK_WEB_OUT'] ?? 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0, // the policy of the page has no data: for anything that runs or dresses
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: { index: 'index.html', sw: 'src/offline/sw.ts' },
      output: { entryFileNames: (chunk) => (chunk.name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js') },
    },
  },
  worker: { format: 'es' },
  server: { proxy: { '/v1': { target: node, ws: true, secure: false }, '/.well-known': { target: node, secure: false } } },
  test: { include: ['tests/**/*.test.ts', 'src/**/*.test.ts'] },
})
