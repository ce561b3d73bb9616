import { svelte } from '@sveltejs/vite-plugin-svelte'
export default { plugins: [svelte()], test: { include: ['tests/*.test.ts', 'src/**/*.test.ts'] } }
