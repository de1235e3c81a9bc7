import { describe, expect, it } from 'vitest';
import { hexLines, lspci, parseRegister, parseSlot } from '../../../src/eeh/interfaces/lspci.js';
import { Shell } from '../../../src/eeh/interfaces/shell.js';
import { UsageError } from '../../../src/eeh/interfaces/usage-error.js';
import { AWARE, StubDriver } from '../stub-driver.js';
import { DEBUG, User } from './user.js';

const DEVICES = '/sys/bus/pci/devices';

describe('a shell on the kernel', () => {
  it('prints files, several of them in order, and goes on after one that fails', () => {
    const user = new User();
    expect(user.sh(`cat ${DEVICES}/0000:01:00.0/vendor /none ${DEVICES}/0000:01:00.0/device`)).toEqual([
      ...['0x1014', '0xf001', 'cat: /none: No such file or directory'],
    ]);
  });

  it('writes to files, and names the file and the error when that fails', () => {
    const user = new User();
    expect(user.sh(`echo 100 > ${DEBUG}/eeh_max_freezes; cat ${DEBUG}/eeh_max_freezes`)).toEqual(['100']);
    expect(user.sh(`echo fd:0:20:0:0 > ${DEBUG}/PCI0000/err_injct`)).toEqual([
      `sh: ${DEBUG}/PCI0000/err_injct: Numerical result out of range`,
    ]);
    expect(user.sh('echo 1 > /none')).toEqual(['sh: /none: No such file or directory']);
    expect(user.sh(`echo 1 > ${DEVICES}/*/remove`)).toEqual([`sh: ${DEVICES}/*/remove: ambiguous redirect`]);
    expect(user.sh(`echo 0 > ${DEVICES}/*1:00.0/remove`)).toEqual([]);
    expect(user.sh(`cat /none > ${DEBUG}/eeh_enable`)).toEqual([
      ...['cat: /none: No such file or directory', `sh: ${DEBUG}/eeh_enable: Invalid argument`],
    ]);
  });

  it('leaves out what stands behind && after a failure, and goes on behind ;', () => {
    const user = new User();
    expect(user.sh('cat /none && echo not me; echo me && echo me too')).toEqual([
      ...['cat: /none: No such file or directory', 'me', 'me too'],
    ]);
  });

  it('tells when each command ran, how it was typed and whether it failed', () => {
    const user = new User();
    const start = user.machine.sim.now;
    const results = user.machine.run(user.shell.run("sleep .5; echo 'a b' > /none"));
    expect(results).toEqual([
      { command: 'sleep .5', startNs: start, endNs: start + 5e8, text: '', errors: [], status: 0 },
      expect.objectContaining({ command: 'echo a b > /none', startNs: start + 5e8, text: '', status: 1 }),
    ]);
  });

  it('lists folders, with modes on request', () => {
    const user = new User();
    expect(user.sh(`ls ${DEVICES}`)).toEqual(['0000:00:00.0', '0000:01:00.0']);
    expect(user.sh('ls')).toEqual(['proc', 'sys']);
    expect(user.sh(`ls -1 ${DEBUG}/PCI0000/err_injct`)).toEqual([`${DEBUG}/PCI0000/err_injct`]);
    expect(user.sh(`ls -l ${DEBUG}/PCI0000 /proc`)).toEqual([
      ...[`${DEBUG}/PCI0000:`, '--w------- dump_diag_regs', '--w------- dump_ioda_pe_state', '--w------- err_injct'],
      ...['-rw------- err_injct_inboundA', '-rw------- err_injct_inboundB', '-rw------- err_injct_outbound'],
      ...['/proc:', 'drwxr-xr-x powerpc'],
    ]);
    expect(user.sh('ls /none')).toEqual(["ls: cannot access '/none': No such file or directory"]);
  });

  it('expands stars in paths, unless they are quoted or fit nothing', () => {
    const user = new User();
    expect(user.sh(`echo ${DEVICES}/*/eeh_mode`)).toEqual([
      `${DEVICES}/0000:00:00.0/eeh_mode ${DEVICES}/0000:01:00.0/eeh_mode`,
    ]);
    expect(user.sh(`echo ${DEVICES}/*0*1*/cl*s`)).toEqual([`${DEVICES}/0000:01:00.0/class`]);
    expect(user.sh(`echo '${DEVICES}/*' /none/* * ${DEVICES}/0000.*`)).toEqual([
      `${DEVICES}/* /none/* * ${DEVICES}/0000.*`,
    ]);
  });

  it('says what it was told, with and without an end of line', () => {
    const user = new User();
    expect(user.machine.run(user.shell.run('echo; echo -n a b'))).toMatchObject([{ text: '\n' }, { text: 'a b' }]);
  });

  it('shows the log, and clears it', () => {
    const user = new User();
    user.machine.kernel.log.info('hello');
    expect(user.sh('dmesg')[0]).toMatch(/^\[ +\d+\.\d{6}\] hello$/);
    expect(user.sh('dmesg -c')).toHaveLength(1);
    expect(user.sh('dmesg')).toEqual([]);
    user.machine.kernel.log.info('again');
    expect(user.sh('dmesg -C; dmesg')).toEqual([]);
  });

  it('takes commands from others', () => {
    const user = new User();
    const shell = new Shell(user.files, {
      *shout(args) {
        return { text: `${args.join(' ').toUpperCase()}\n`, errors: [] };
      },
    });
    expect(user.machine.run(shell.run('shout hello'))).toMatchObject([{ text: 'HELLO\n', status: 0 }]);
  });

  it.each([
    ['reboot', 'reboot: no such command: there are cat, dmesg, echo, ls, lspci, setpci, sleep'],
    ['cat', 'cat: name a file'],
    ['cat -v /a', 'cat: option -v is not understood'],
    ['ls -la', 'ls: option -a is not understood'],
    ['dmesg -w', 'dmesg: only -C'],
    ['dmesg -C -c', 'dmesg: only -C'],
    ['sleep', 'sleep: give seconds'],
    ['sleep soon', 'sleep: give seconds'],
    ['sleep 1 2', 'sleep: give seconds'],
    ['sleep 9999999', 'sleep: give seconds, up to 1000000'],
    ['lspci -v', 'lspci: -v: only -n, -D, -x and -s'],
    ['lspci 0000:01:00.0', 'lspci: 0000:01:00.0: only'],
    ['lspci -', 'lspci: -: only'],
    ['lspci -s', 'lspci: -s needs a slot'],
    ['lspci -s zz', 'Invalid slot number "zz"'],
    ['setpci 4.w', 'setpci: give -s SLOT and registers'],
    ['setpci -s 1:0.0', 'setpci: give -s SLOT and registers'],
    ['setpci -s zz 4.w', 'Invalid slot number'],
    ['setpci -s 1:0.0 NOTHING', 'Unable to parse register "NOTHING"'],
    ['setpci -s 1:0.0 5.w', 'register "5.w" is not aligned to its 2 bytes'],
  ])('refuses "%s" before anything runs', (line, why) => {
    const user = new User();
    expect(() => user.shell.parse(line)).toThrow(UsageError);
    expect(() => user.shell.parse(`echo 1 > ${DEBUG}/eeh_enable; ${line}`)).toThrow(why);
  });
});

describe('lspci', () => {
  it('lists class, maker and device, the domain only where there are several', () => {
    const one = new User();
    expect(one.sh('lspci')).toEqual(['00:00.0 Class 0604: Device 1014:03dc', '01:00.0 Class 0200: Device 1014:f001']);
    expect(one.sh('lspci -D -n')[1]).toBe('0000:01:00.0 0200: 1014:f001');
    expect(new User({ phbs: [{}, {}] }).sh('lspci -n')[3]).toBe('0001:01:00.0 0200: 1014:f001');
  });

  it('shows what is asked for, and nothing if that is not there', () => {
    const user = new User({ phbs: [{}, {}] });
    expect(user.sh('lspci -ns 0001:01:00.0')).toEqual(['0001:01:00.0 0200: 1014:f001']);
    expect(user.sh('lspci -n -s 1:')).toEqual(['0000:01:00.0 0200: 1014:f001', '0001:01:00.0 0200: 1014:f001']);
    expect(user.sh('lspci -s 00.1')).toEqual([]);
    expect(user.sh('lspci -s *:1:*.0')).toHaveLength(2);
    expect(user.sh('lspci -s 0001::')).toHaveLength(2);
  });

  it('shows the revision where there is one, and ff of a device that is out of reach', () => {
    const user = new User();
    user.machine.phb.functions.get(0x100)!.set('REVISION', 0x03);
    expect(user.sh('lspci -n')[1]).toBe('01:00.0 0200: 1014:f001 (rev 03)');
    user.machine.phb.card = 'gone';
    expect(user.sh('lspci -n')[1]).toBe('01:00.0 0200: 1014:f001 (rev ff)');
  });

  it('finds a freeze by its own accesses', () => {
    const user = new User({ kernel: { drivers: [new StubDriver(AWARE)] } });
    user.machine.phb.freeze(0xfd);
    user.machine.phb.card = 'gone';
    user.sh('lspci -ns 1:0.0');
    user.machine.runFor(1);
    expect(user.texts).toContain('EEH: Recovering PHB#0-PE#fd');
    expect(user.machine.kernel.statistics.slotResets).toBe(1);
  });

  it('prints the header in hex on request', () => {
    const user = new User();
    const lines = user.sh('lspci -nx -s 1:0.0');
    expect(lines.slice(0, 2)).toEqual([
      '01:00.0 0200: 1014:f001',
      expect.stringMatching(/^00: 14 10 01 f0 ([0-9a-f]{2} ){11}[0-9a-f]{2}$/),
    ]);
    expect(lines).toHaveLength(6);
    expect(lines.at(-1)).toBe('');
    expect(hexLines(new Uint8Array(17)).at(-1)).toBe('10: 00');
  });

  it('is there for programs too', () => {
    const user = new User();
    expect(user.machine.run(lspci(user.files))).toHaveLength(2);
    expect(parseSlot('')).toEqual({ domain: undefined, bus: undefined, device: undefined, function: undefined });
    expect(parseSlot('a:1f.7')).toEqual({ domain: undefined, bus: 0xa, device: 0x1f, function: 7 });
  });
});

describe('setpci', () => {
  it('reads registers by name or place, in the width asked for', () => {
    const user = new User();
    expect(user.sh('setpci -s 1:0.0 VENDOR_ID 0.l 2.W 0')).toEqual(['1014', 'f0011014', 'f001', '14']);
    expect(user.sh('setpci -s * vendor_id')).toEqual(['1014', '1014']);
    expect(parseRegister('BASE_ADDRESS_0')).toEqual({ at: 0x10, size: 4, value: undefined });
  });

  it('writes through the kernel', () => {
    const user = new User();
    expect(user.sh('setpci -s 1:0.0 COMMAND=0144 c.b=20')).toEqual([]);
    expect(user.machine.opal.calls).toEqual(['CFGW(100,4,2,144)', 'CFGW(100,c,1,20)']);
  });
});
