/** Builds the console into dist/console; `vite dev console` serves it with the API of VIGIE_URL behind. */
import path from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

const target = process.env['VIGIE_URL'] ?? 'http://127.0.0.1:9390';

/** Code that the first page needs besides the application itself, by what asks for it: a language, or a path. */
const EARLY = {
  en: '/locales/en.ts',
  fr: '/locales/fr.ts',
  de: '/locales/de.ts',
  '/': '/pages/overview/overview-page.tsx',
};

/** Tells public/early.js where that code is, so that it is fetched beside the application and not after it. */
function earlyCode(): Plugin {
  return {
    name: 'vigie-early-code',
    transformIndexHtml: {
      order: 'post',
      handler(_html, { bundle }) {
        const chunks = Object.values(bundle ?? {}).filter((o) => o.type === 'chunk');
        const content = Object.entries(EARLY).flatMap(([key, source]) => {
          const chunk = chunks.find((c) => c.moduleIds.some((id) => id.endsWith(source)));
          return chunk ? [`${key}=/${chunk.fileName}`] : [];
        });
        return [{ tag: 'meta', attrs: { name: 'vigie-early', content: content.join(' ') }, injectTo: 'head-prepend' }];
      },
    },
  };
}

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react(), earlyCode()],
  build: {
    outDir: path.resolve(import.meta.dirname, '../dist/console'),
    emptyOutDir: true,
    target: 'es2022',
    chunkSizeWarningLimit: 700,
    rolldownOptions: {
      output: {
        // forty small files cost the first page more in requests than their sharing saves
        codeSplitting: {
          groups: [
            { name: 'app', tags: ['$initial'], priority: 2 },
            { name: 'overview', test: /pages\/overview\/overview-page/, priority: 1 },
          ],
        },
      },
    },
  },
  worker: { format: 'es' },
  server: { proxy: Object.fromEntries(['/api', '/vigie', '/t'].map((prefix) => [prefix, { target }])) },
});
