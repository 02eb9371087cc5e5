/** Builds the console into dist/console; `vite dev console` serves it with the API of VIGIE_URL behind. */
import path from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const target = process.env['VIGIE_URL'] ?? 'http://127.0.0.1:9390';

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  build: {
    outDir: path.resolve(import.meta.dirname, '../dist/console'),
    emptyOutDir: true,
    target: 'es2022',
    chunkSizeWarningLimit: 700,
  },
  worker: { format: 'es' },
  server: { proxy: Object.fromEntries(['/api', '/vigie', '/t'].map((prefix) => [prefix, { target }])) },
});
