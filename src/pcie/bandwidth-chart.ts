/** The curve of docs/bandwidth.svg: lines are arithmetic, dots are packets sent through the model's link. */
import { BandwidthBench, type LinkLoad, modelReadGbps, modelReadGbpsOfTags, modelWriteGbps } from './bandwidth.js';

const LOAD: LinkLoad = { speed: 3, width: 8, maxPayloadBytes: 256, maxReadRequestBytes: 512 };
const FEW_TAGS = [1, 2, 4, 8] as const;
const DOTS = [8, 16, 32, 64, 128, 192, 256, 257, 384, 512, 513, 768, 1024, 1500, 2048, 3072, 4096];
const TICKS = [8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];
const GBPS = [0, 10, 20, 30, 40, 50, 60];
const COLOURS = ['#0969da', '#bc4c00', '#1a7f37', '#8250df'] as const;

/** Where a panel's axes are. */
const PANEL = { left: 64, top: 64, width: 336, height: 280 } as const;
const SECOND_PANEL = 440;
const MARGIN = { right: 24, bottom: 60 } as const;
const PAGE_WIDTH = SECOND_PANEL + PANEL.left + PANEL.width + MARGIN.right;
const PAGE_HEIGHT = PANEL.top + PANEL.height + MARGIN.bottom;
const STEPS_PER_OCTAVE = 16;

interface Curve {
  readonly name: string;
  readonly model: (size: number) => number;
  readonly measured: (size: number) => number;
}

export function bandwidthChart(): string {
  const whole = new BandwidthBench(LOAD);
  const enough: Curve[] = [
    { name: 'write', model: (size) => modelWriteGbps(LOAD, size), measured: (size) => whole.writeGbps(size) },
    { name: 'read', model: (size) => modelReadGbps(LOAD, size), measured: (size) => whole.readGbps(size) },
  ];
  const few = FEW_TAGS.map((tags): Curve => {
    const bench = new BandwidthBench(LOAD, { tags });
    return {
      name: tags === 1 ? '1 tag' : `${tags} tags`,
      model: (size) => modelReadGbpsOfTags(LOAD, size, tags),
      measured: (size) => bench.readGbps(size),
    };
  });
  return [
    ...opening(),
    ...panel(0, 'Writes and reads, tags and credits enough', enough),
    ...panel(SECOND_PANEL, 'Reads with few tags', few),
    '</svg>',
    '',
  ].join('\n');
}

function opening(): string[] {
  const size = `viewBox="0 0 ${PAGE_WIDTH} ${PAGE_HEIGHT}" width="${PAGE_WIDTH}" height="${PAGE_HEIGHT}"`;
  const font = `font-family="Helvetica, Arial, 'Liberation Sans', sans-serif" font-size="12"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-labelledby="title desc" ${font}>`,
    '  <title id="title">Bandwidth of a generation 3 x8 link against transfer size</title>',
    '  <desc id="desc">Payload in Gb/s for transfers of 8 to 4,096 bytes, payload 256, read request 512. ' +
      'Lines: arithmetic. Dots: packets sent through the simulated link.</desc>',
    '  <style>',
    '    @media (prefers-color-scheme: dark) {',
    '      .page { fill: #16191d; stroke: #3a4149; }',
    '      .grid { stroke: #3a4149; }',
    '      text { fill: #e6e9ec; }',
    '    }',
    '  </style>',
    `  <rect class="page" x="0.5" y="0.5" width="${PAGE_WIDTH - 1}" height="${PAGE_HEIGHT - 1}" rx="8" fill="#ffffff" stroke="#d0d7de"/>`,
  ];
}

function panel(offset: number, title: string, curves: readonly Curve[]): string[] {
  const left = offset + PANEL.left;
  const bottom = PANEL.top + PANEL.height;
  const middle = left + PANEL.width / 2;
  return [
    `  <text x="${left}" y="28" font-size="14" font-weight="bold">${title}</text>`,
    ...GBPS.map((gbps) => horizontal(left, gbps)),
    ...TICKS.map((size) => `  <text x="${x(left, size)}" y="${bottom + 18}" text-anchor="middle">${size}</text>`),
    `  <text x="${middle}" y="${bottom + 42}" text-anchor="middle">bytes of one transfer</text>`,
    `  <text x="${left - 36}" y="${PANEL.top - 16}">Gb/s</text>`,
    ...curves.flatMap((curve, index) => drawn(left, curve, { colour: COLOURS[index]!, index })),
  ];
}

function horizontal(left: number, gbps: number): string {
  const at = y(gbps);
  const line = `  <path class="grid" d="M${left} ${at}H${left + PANEL.width}" stroke="#d0d7de"/>`;
  return `${line}<text x="${left - 8}" y="${tenths(Number(at) + 4)}" text-anchor="end">${gbps}</text>`;
}

function drawn(left: number, curve: Curve, style: { colour: string; index: number }): string[] {
  const points = sizes().map((size) => `${x(left, size)} ${y(curve.model(size))}`);
  const key = left + 40 + style.index * 74;
  return [
    `  <path d="M${points.join('L')}" fill="none" stroke="${style.colour}" stroke-width="1.5"/>`,
    `  <g fill="${style.colour}">`,
    ...DOTS.map((size) => `    <circle cx="${x(left, size)}" cy="${y(curve.measured(size))}" r="3"/>`),
    '  </g>',
    `  <circle cx="${key}" cy="${PANEL.top - 20}" r="4" fill="${style.colour}"/><text x="${key + 8}" y="${PANEL.top - 16}">${curve.name}</text>`,
  ];
}

/** Sizes for a line, denser than the eye needs, and both sides of each step. */
function sizes(): number[] {
  const first = Math.log2(TICKS[0]!);
  const octaves = Math.log2(TICKS.at(-1)!) - first;
  const even = Array.from({ length: octaves * STEPS_PER_OCTAVE + 1 }, (_, i) =>
    Math.round(2 ** (first + i / STEPS_PER_OCTAVE)),
  );
  const steps = even.filter((size) => size % LOAD.maxPayloadBytes === 0).map((size) => size + 1);
  const last = TICKS.at(-1)!;
  return [...new Set([...even, ...steps])].filter((size) => size <= last).sort((a, b) => a - b);
}

function x(left: number, size: number): string {
  const first = Math.log2(TICKS[0]!);
  return tenths(left + (PANEL.width * (Math.log2(size) - first)) / (Math.log2(TICKS.at(-1)!) - first));
}

function y(gbps: number): string {
  return tenths(PANEL.top + PANEL.height * (1 - gbps / GBPS.at(-1)!));
}

function tenths(value: number): string {
  return String(Math.round(value * 10) / 10);
}
