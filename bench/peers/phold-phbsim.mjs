// PHOLD in phbsim, trace and digest on, reported as the peers report.
import { Phold } from '../phold.mjs';

const [pending, warmUp, measured] = process.argv.slice(2).map(Number);
const phold = new Phold(pending);
phold.run(warmUp);
const started = process.hrtime.bigint();
const checksum = phold.run(measured) >>> 0;
const seconds = Number(process.hrtime.bigint() - started) / 1e9;
console.log(JSON.stringify({ seconds, checksum, digest: phold.sim.digest() }));
