import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  BandwidthBench,
  type LinkLoad,
  modelReadGbps,
  modelReadGbpsOfTags,
  modelWriteGbps,
} from '../../src/pcie/bandwidth.js';
import { bandwidthChart } from '../../src/pcie/bandwidth-chart.js';
import { ENDPOINT_CREDITS, LINK_PROFILE, tlpGbps } from '../../src/pcie/link-profile.js';

const SIZES = [8, 16, 64, 128, 256, 257, 512, 1500, 4096];
const PAYLOADS = [128, 256, 512];
const READ_REQUESTS = [128, 256, 512, 1024, 2048, 4096];

/** Gb/s of payload: size, then write and read of generation 3 x8 with 256-byte payloads, generation 2, 128-byte payloads. */
const REFERENCE = [
  [8, 14.471, 16.539, 7.169, 8.193, 14.166, 16.19],
  [16, 23.154, 25.727, 11.471, 12.745, 22.666, 25.185],
  [64, 42.098, 44.103, 20.855, 21.849, 41.212, 43.174],
  [128, 48.745, 50.063, 24.148, 24.801, 47.719, 49.008],
  [256, 52.923, 53.69, 26.218, 26.598, 47.719, 49.008],
  [257, 48.775, 50.089, 24.163, 24.814, 44.265, 45.941],
  [512, 52.923, 53.69, 26.218, 26.598, 47.719, 49.008],
  [1500, 52.815, 53.597, 26.164, 26.552, 47.539, 48.85],
  [4096, 52.923, 53.69, 26.218, 26.598, 47.719, 49.008],
] as const;

const GEN3: LinkLoad = { speed: 3, width: 8, maxPayloadBytes: 256, maxReadRequestBytes: 512 };

/** Relative distance in percent. */
const off = (measured: number, model: number): number => 100 * Math.abs(measured / model - 1);

describe('the reference curve', () => {
  it.each(REFERENCE)(
    'at %i bytes is what the arithmetic yields, and the link carries it within 5 %%',
    (size, ...row) => {
      const loads = [GEN3, { ...GEN3, speed: 2 as const }, { ...GEN3, maxPayloadBytes: 128 }];
      for (const [index, load] of loads.entries()) {
        const bench = new BandwidthBench(load);
        const [write, read] = [row[index * 2]!, row[index * 2 + 1]!];
        expect(modelWriteGbps(load, size)).toBeCloseTo(write, 3);
        expect(modelReadGbps(load, size)).toBeCloseTo(read, 3);
        expect(off(bench.writeGbps(size), write)).toBeLessThan(5);
        expect(off(bench.readGbps(size), read)).toBeLessThan(5);
      }
    },
  );
});

describe.each([1, 2, 3] as const)('generation %i', (speed) => {
  it.each([1, 2, 4, 8, 16] as const)('x%i carries writes and reads of every size within 5 percent', (width) => {
    const wrong: string[] = [];
    const note = (what: string, measured: number, model: number): void => {
      if (!(off(measured, model) < 5)) wrong.push(`${what}: ${measured} instead of ${model}`);
    };
    for (const maxPayloadBytes of PAYLOADS) {
      for (const maxReadRequestBytes of width < 4 ? [512] : speed < 3 ? [128, 512, 4096] : READ_REQUESTS) {
        const load = { speed, width, maxPayloadBytes, maxReadRequestBytes };
        const bench = new BandwidthBench(load);
        for (const size of SIZES) {
          note(`read ${size} ${JSON.stringify(load)}`, bench.readGbps(size), modelReadGbps(load, size));
          if (maxReadRequestBytes !== 512) continue;
          note(`write ${size} ${JSON.stringify(load)}`, bench.writeGbps(size), modelWriteGbps(load, size));
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe('reads with few tags', () => {
  it.each([1, 2, 4, 8])('fall to tags x size / round trip with %i of them', (tags) => {
    const bench = new BandwidthBench(GEN3, { tags });
    for (const size of [8, 64, 256, 512, 2048]) {
      const measured = bench.readGbps(size);
      expect(off(measured, modelReadGbpsOfTags(GEN3, size, tags))).toBeLessThan(5);
      // Eight reads of 512 bytes are what the link has room for.
      if (tags < 4) expect(measured).toBeLessThan(0.8 * modelReadGbps(GEN3, size));
    }
  });

  it('take no less than two flights and the packets', () => {
    const bytes = 24 + 20 + 64;
    const roundTripNs = (bytes * 8) / tlpGbps(3, 8, 256) + 2 * LINK_PROFILE.flightNs.value;
    expect(new BandwidthBench(GEN3, { tags: 1 }).readGbps(64)).toBeCloseTo((64 * 8) / roundTripNs, 1);
  });
});

describe('few credits', () => {
  const loopNs = (bytes: number): number =>
    (bytes * 8) / tlpGbps(3, 8, 256) + LINK_PROFILE.flightNs.value + LINK_PROFILE.dllpNs.value;

  it.each([1, 2, 4])('for headers let %i writes go in the time until the credit is back', (PH) => {
    const bench = new BandwidthBench(GEN3, { credits: { ...ENDPOINT_CREDITS, PH } });
    for (const size of [8, 64, 256]) {
      const measured = bench.writeGbps(size);
      expect(off(measured, (PH * size * 8) / loopNs(24 + size))).toBeLessThan(5);
      expect(measured).toBeLessThan(0.7 * modelWriteGbps(GEN3, size));
    }
  });

  it.each([16, 32])('for data, %i of 16 bytes, slow large writes down and leave small ones alone', (PD) => {
    const bench = new BandwidthBench(GEN3, { credits: { ...ENDPOINT_CREDITS, PD } });
    expect(off(bench.writeGbps(256), (PD * 16 * 8) / loopNs(24 + 256))).toBeLessThan(5);
    expect(off(bench.writeGbps(8), Math.min(modelWriteGbps(GEN3, 8), (PD * 8 * 8) / loopNs(32)))).toBeLessThan(5);
  });

  it('for non-posted headers keep reads down although there are tags', () => {
    const bench = new BandwidthBench(GEN3, { credits: { ...ENDPOINT_CREDITS, NPH: 1 } });
    // The credit of a read is back after one loop; the answer takes its own time.
    expect(off(bench.readGbps(64), (64 * 8) / loopNs(24))).toBeLessThan(5);
  });
});

describe('docs/bandwidth.svg', () => {
  it('is what scripts/bandwidth-chart.mjs draws, once for all', () => {
    const drawn = bandwidthChart();
    expect(drawn).toBe(readFileSync(resolve(import.meta.dirname, '../../docs/bandwidth.svg'), 'utf8'));
    expect(drawn.match(/<circle/g)!.length).toBeGreaterThan(100);
  });
});
