import { describe, expect, it } from 'vitest';
import * as errnos from '../../../src/eeh/errno.js';
import { EACCES, EISDIR, ENOENT, ENOTDIR } from '../../../src/eeh/errno.js';
import { errnoName, errnoText } from '../../../src/eeh/interfaces/errno-text.js';
import { changingDirectory } from '../../../src/eeh/interfaces/file-tree.js';
import { KernelFileError, PATHS } from '../../../src/eeh/interfaces/files.js';
import { KernelMessages } from '../../../src/eeh/interfaces/messages.js';
import { AWARE, StubDriver } from '../stub-driver.js';
import { DEBUG, ENDPOINT_DIR, User } from './user.js';

describe('the tree of the kernel', () => {
  it('has the folders a real one has, as recorded for debugfs', () => {
    const user = new User({ phbs: [{}, {}] });
    expect(user.files.list('/')).toEqual(['proc', 'sys']);
    expect(user.files.list(PATHS.debug)).toEqual([
      ...['PCI0000', 'PCI0001', 'eeh_address_cache', 'eeh_dev_break', 'eeh_dev_can_recover', 'eeh_dev_check'],
      ...['eeh_disable_recovery', 'eeh_enable', 'eeh_force_recover', 'eeh_max_freezes'],
    ]);
    expect(user.files.list(`${PATHS.debug}/PCI0001`)).toEqual([
      ...['dump_diag_regs', 'dump_ioda_pe_state', 'err_injct', 'err_injct_inboundA', 'err_injct_inboundB'],
      'err_injct_outbound',
    ]);
    expect(user.files.list(PATHS.devices)).toEqual(['0000:00:00.0', '0000:01:00.0', '0001:00:00.0', '0001:01:00.0']);
  });

  it('says of each path whether it is there, and where it leads', () => {
    const { files } = new User({ kernel: { drivers: [new StubDriver(AWARE)] } });
    expect([files.exists(ENDPOINT_DIR), files.isDirectory(ENDPOINT_DIR)]).toEqual([true, true]);
    expect([files.exists(PATHS.proc), files.isDirectory(PATHS.proc)]).toEqual([true, false]);
    expect([files.exists('/sys/none'), files.isDirectory('/sys/none')]).toEqual([false, false]);
    expect(files.realPath('/sys//bus/./pci/../pci/rescan')).toBe(PATHS.rescan);
    expect(files.realPath('/../sys/bus')).toBe('/sys/bus');
    expect(files.realPath('/sys/none')).toBeUndefined();
    expect(files.realPath('/')).toBe('/');
    expect([files.mode(`${ENDPOINT_DIR}/eeh_pe_state`), files.mode('/sys')]).toEqual([0o644, 0o755]);
  });

  it('follows links on the way to a file', () => {
    const user = new User({ kernel: { drivers: [new StubDriver(AWARE)] } });
    expect(user.read(`${PATHS.drivers}/nic/0000:01:00.0/vendor`)).toBe('0x1014\n');
    expect(user.files.list(`${ENDPOINT_DIR}/driver`)).toContain('unbind');
  });

  it('refuses what leads nowhere, folders where a file is wanted, and files where a folder is', () => {
    const user = new User();
    expect([user.readError('/sys/none'), user.write('/sys/none', '1')]).toEqual([ENOENT, ENOENT]);
    expect([user.readError(`${PATHS.proc}/x`), user.write(`${PATHS.proc}/x`, '1')]).toEqual([ENOTDIR, ENOTDIR]);
    expect([user.readError(DEBUG), user.write(DEBUG, '1')]).toEqual([EISDIR, EISDIR]);
    expect(() => user.files.list(PATHS.proc)).toThrow(new KernelFileError(PATHS.proc, ENOTDIR));
    expect(() => user.files.list('/none')).toThrow('/none: No such file or directory');
    expect(() => user.files.mode('/none')).toThrow(KernelFileError);
    expect(user.readError(`${DEBUG}/PCI0000/err_injct`)).toBe(EACCES);
  });

  it('reports a link that goes in circles as not there', () => {
    const user = new User();
    const loop = changingDirectory(() => ({ round: { kind: 'link', target: 'round' } }));
    const { files } = user;
    Object.assign(files, { root: loop });
    expect(files.exists('/round')).toBe(false);
  });
});

describe('the text of an error', () => {
  it('is that of the C library, for every number the kernel model uses', () => {
    for (const [name, number] of Object.entries(errnos)) {
      expect(errnoName(number)).toBe(name);
      expect(errnoText(number), name).not.toContain('Unknown');
    }
    expect([errnoText(-5), errnoText(-34), errnoText(-19)]).toEqual([
      ...['Input/output error', 'Numerical result out of range', 'No such device'],
    ]);
  });

  it('is its number when nobody knows it', () => {
    expect([errnoName(-99), errnoText(-99)]).toEqual(['errno -99', 'Unknown error 99']);
  });
});

describe('the log of the kernel', () => {
  it('shows what came since it was cleared, without debug records, and keeps the rest', () => {
    const { machine } = new User();
    const { log } = machine.kernel;
    log.info('first');
    const messages = new KernelMessages(log);
    log.debug('for developers');
    log.err('second\nline');
    expect(messages.records().map(({ text }) => text)).toEqual(['first', 'second\nline']);
    messages.clear();
    expect(messages.lines()).toEqual([]);
    log.warn('third');
    expect(messages.lines().map((line) => line.slice(-5))).toEqual(['third']);
    expect(log.texts()).toContain('first');
  });
});
