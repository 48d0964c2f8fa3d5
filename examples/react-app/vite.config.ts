import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const built = (file: string): string => fileURLToPath(new URL(`../../dist/${file}`, import.meta.url));

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  // Here the package is the one around this folder; an application installs it.
  resolve: {
    alias: [
      { find: /^recloser\/react\/style\.css$/, replacement: built('src/react/style.css') },
      { find: /^recloser\/react$/, replacement: built('src/react/index.js') },
    ],
  },
});
