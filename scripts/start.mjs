// `npm start`: sets up what is missing, then runs the main job on the shipped inputs.
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, ROOT, run } from './setup.mjs';

ensureInstalled();
ensureBuilt();
run(process.execPath, [join(ROOT, 'dist', 'cli', 'main.js'), 'tour', ...process.argv.slice(2)]);
