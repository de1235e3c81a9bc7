// node scripts/bandwidth-chart.mjs: builds what is stale and writes docs/bandwidth.svg.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, ROOT } from './setup.mjs';

ensureInstalled();
ensureBuilt();
const { bandwidthChart } = await import('../dist/pcie/bandwidth-chart.js');
writeFileSync(join(ROOT, 'docs', 'bandwidth.svg'), bandwidthChart());
console.log('docs/bandwidth.svg written');
