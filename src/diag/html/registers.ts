/** Registers drawn as fields of bits: a cell for each bit, filled when it is set, with its meaning in words below. */
import type { DecodedRegister } from '../decode.js';
import { escapeHtml } from './escape.js';

const CELLS_A_GROUP = 8;

function cells(value: bigint, digits: number, register: DecodedRegister, isStatus: boolean): string {
  const count = digits * 4;
  const groups: string[] = [];
  for (let start = 0; start < count; start += CELLS_A_GROUP) {
    let group = '';
    for (let bit = start; bit < start + CELLS_A_GROUP; bit++) {
      const isSet = ((value >> BigInt(count - 1 - bit)) & 1n) === 1n;
      const named = isStatus && isSet ? register.bits.find((entry) => entry.bit === bit) : undefined;
      const kind = !isSet ? '' : named?.first === true ? ' class="set first"' : ' class="set"';
      const about = named?.about === undefined || named.about === '' ? '' : `: ${named.about}`;
      group += `<i${kind}${isSet ? ` title="bit ${bit}${escapeHtml(about)}"` : ''}></i>`;
    }
    groups.push(`<b data-bit="${start}">${group}</b>`);
  }
  return `<span class="bits">${groups.join('')}</span>`;
}

export function drawRegister(register: DecodedRegister): string {
  const words = register.words.map(({ name, value, digits }, i) => {
    const text = value.toString(16).padStart(digits, '0');
    return `<tr><th scope="row">${escapeHtml(name)}</th><td><code>${text}</code></td><td>${cells(value, digits, register, i === 0)}</td></tr>`;
  });
  const bits = register.bits.map(
    ({ name, about, first, class: kind }) =>
      `<li${first ? ' class="first"' : ''}><code>${escapeHtml(name)}</code> ${escapeHtml(about ?? '')}${kind === undefined || kind === 'none' ? '' : ` <small>${escapeHtml(kind)}</small>`}${first ? ' <em>first</em>' : ''}</li>`,
  );
  const notes = register.notes.map((note) => `<li>${escapeHtml(note)}</li>`);
  const list = bits.length + notes.length === 0 ? '' : `<ul>${bits.join('')}${notes.join('')}</ul>`;
  return `<section class="register"><h4>${escapeHtml(register.label)} <small>${escapeHtml(register.about)}</small></h4><table>${words.join('')}</table>${list}</section>`;
}
