import type { ELK } from 'elkjs';
import * as elk from 'elkjs/lib/elk.bundled.js';

// The package is CommonJS with a default export, which its types do not say to a module.
export const createElk = (): ELK => new (elk.default as unknown as new () => ELK)();
