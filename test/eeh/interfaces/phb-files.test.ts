import { describe, expect, it } from 'vitest';
import { EACCES, EFAULT, EINVAL, EIO, ENODEV, ENXIO, ERANGE } from '../../../src/eeh/errno.js';
import { OpalStatus } from '../../../src/opal/opal-api.js';
import { DEBUG, User } from './user.js';

const PHB = `${DEBUG}/PCI0000`;
const INJECT = `${PHB}/err_injct`;

describe('err_injct', () => {
  it('passes five hex numbers on to firmware', () => {
    const user = new User();
    expect(user.write(INJECT, '0xfd:1:10:0:0\n')).toBe(0);
    expect(user.machine.opal.calls).toEqual(['INJECT(fd,1,10)']);
  });

  it('refuses what is not five numbers, and a PE that nobody has', () => {
    const user = new User();
    const texts = ['', 'fd', 'fd:0:0:0', 'fd:0:0:0:', 'pe:0:0:0:0', 'fe:0:0'];
    expect(texts.map((text) => user.write(INJECT, text))).toEqual([EFAULT, ...new Array<number>(5).fill(EINVAL)]);
    expect(user.write(INJECT, '12:0:0:0:0')).toBe(ENODEV);
    expect([user.machine.opal.calls, user.texts]).toEqual([[], []]);
  });

  it('answers ERANGE for types and functions that do not exist, as recorded', () => {
    const user = new User();
    const texts = ['fd:0:14:0:0', 'fd:2:0:0:0', 'fd:ffffffff:0:0:0', 'fd:0:ffffffff:0:0'];
    expect(texts.map((text) => user.write(INJECT, text))).toEqual([ERANGE, ERANGE, ERANGE, ERANGE]);
    expect(user.texts).toEqual([
      'pnv_eeh_err_inject: Invalid error function 20',
      'pnv_eeh_err_inject: Invalid error type 2',
      'pnv_eeh_err_inject: Invalid error type -1',
      'pnv_eeh_err_inject: Invalid error function -1',
    ]);
  });

  it('answers EIO when firmware refuses, as recorded', () => {
    const user = new User();
    user.machine.opal.fail.set('INJECT', OpalStatus.PARAMETER);
    expect(user.write(INJECT, '0xfd:0:2:0:0')).toBe(EIO);
    expect(user.texts).toEqual(['pnv_eeh_err_inject: Failure -1 injecting error 0-2 to PHB#0-PE#fd']);
  });

  it('cannot be read', () => {
    expect(new User().readError(INJECT)).toBe(EACCES);
  });
});

describe('the dumps', () => {
  it('list the PEs as recorded, the reserved one without a name', () => {
    const user = new User();
    expect(user.write(`${PHB}/dump_ioda_pe_state`, '1\n')).toBe(0);
    expect(user.texts).toEqual([
      'pci 0000:01     : [PE# fd] rid: 0100 dev count:  1 flags: bus ',
      'pci 0000:00     : [PE# fe] rid: 0000 dev count:  1 flags: bus ',
      'pci : [PE# ff] rid: 0000 dev count:  0 flags: ',
    ]);
    expect(user.machine.kernel.log.records.every(({ level }) => level === 'warn')).toBe(true);
  });

  it('name a bus below a bridge to conventional PCI with all buses below it', () => {
    const user = new User({ phbs: [{ bridge: { kind: 'conventional' } }] });
    const { bridge } = user.machine.kernel.device('0000:02:00.0')!.bus;
    Object.assign(bridge!.capabilities, { pcie: 0x48, portType: 7 });
    user.write(`${PHB}/dump_ioda_pe_state`, '1');
    expect(user.texts[0]).toBe('pci 0000:02     : [PE# fc] rid: 0200 dev count:  1 flags: all ');
    expect(user.texts[1]).toContain('flags: bus ');
  });

  it('print the diag data that firmware gives', () => {
    const user = new User();
    expect(user.write(`${PHB}/dump_diag_regs`, '1')).toBe(0);
    expect(user.machine.opal.calls).toEqual(['DIAG(0)']);
    expect(user.texts).toEqual(['pnv_pci_dump_phb_diag_data: Unrecognized ioType 0']);
  });

  it('answer EIO without diag data, and EINVAL to what is no number', () => {
    const user = new User();
    user.machine.opal.fail.set('DIAG', OpalStatus.HARDWARE);
    expect(user.write(`${PHB}/dump_diag_regs`, '1')).toBe(EIO);
    const names = ['dump_diag_regs', 'dump_ioda_pe_state'];
    expect(names.map((name) => user.write(`${PHB}/${name}`, 'x'))).toEqual([EINVAL, EINVAL]);
    expect(names.map((name) => user.readError(`${PHB}/${name}`))).toEqual([EACCES, EACCES]);
    expect(user.texts).toEqual([]);
  });
});

describe('the registers that raise test errors', () => {
  const names = ['err_injct_outbound', 'err_injct_inboundA', 'err_injct_inboundB'];

  it('are out of reach where the device tree does not say where the registers are', () => {
    const user = new User();
    expect(names.map((name) => user.readError(`${PHB}/${name}`))).toEqual([ENXIO, ENXIO, ENXIO]);
    expect(names.map((name) => user.write(`${PHB}/${name}`, '1'))).toEqual([ENXIO, ENXIO, ENXIO]);
  });

  it('take numbers only', () => {
    const user = new User();
    expect(names.map((name) => user.write(`${PHB}/${name}`, 'all'))).toEqual([EINVAL, EINVAL, EINVAL]);
  });
});
