/**
 * OPAL calls that set bridges up: configuration space, PEs, windows, message interrupts.
 * Source: skiboot include/opal-api.h, core/pci-opal.c, hw/cec.c. Facts: opal-pci 2, 5.1 to 5.8.
 */
import { OpalStatus } from './opal-api.js';
import { answers, call, type Handler, type OpalCall, unsupported } from './opal-call.js';

const { SUCCESS, UNSUPPORTED } = OpalStatus;

export const PCI_CALLS: readonly OpalCall[] = [
  call(11, 'OPAL_PCI_SET_HUB_TCE_MEMORY', 'hub u64, address u64, size u64', (opal, frame) =>
    opal.pciSetHubTceMemory(frame.number('hub')),
  ),
  call(12, 'OPAL_PCI_SET_PHB_TCE_MEMORY', 'phb u64, address u64, size u64', unsupported),
  call(13, 'OPAL_PCI_CONFIG_READ_BYTE', 'phb u64, bdfn u64, offset u64, data u8*', configRead(1)),
  call(14, 'OPAL_PCI_CONFIG_READ_HALF_WORD', 'phb u64, bdfn u64, offset u64, data be16*', configRead(2)),
  call(15, 'OPAL_PCI_CONFIG_READ_WORD', 'phb u64, bdfn u64, offset u64, data be32*', configRead(4)),
  call(16, 'OPAL_PCI_CONFIG_WRITE_BYTE', 'phb u64, bdfn u64, offset u64, data u8', configWrite(1)),
  call(17, 'OPAL_PCI_CONFIG_WRITE_HALF_WORD', 'phb u64, bdfn u64, offset u64, data u16', configWrite(2)),
  call(18, 'OPAL_PCI_CONFIG_WRITE_WORD', 'phb u64, bdfn u64, offset u64, data u32', configWrite(4)),
  call(27, 'OPAL_PCI_PHB_MMIO_ENABLE', 'phb u64, type u16, window u16, enable u16', (opal, frame) =>
    opal.pciPhbMmioEnable(frame.number('phb'), frame.number('type'), frame.number('window'), frame.number('enable')),
  ),
  call(
    28,
    'OPAL_PCI_SET_PHB_MEM_WINDOW',
    'phb u64, type u16, window u16, address u64, pci_address u64, size u64',
    (opal, frame) =>
      opal.pciSetPhbMemWindow(frame.number('phb'), {
        type: frame.number('type'),
        window: frame.number('window'),
        address: frame.word('address'),
        size: frame.word('size'),
      }),
  ),
  call(29, 'OPAL_PCI_MAP_PE_MMIO_WINDOW', 'phb u64, pe u64, type u16, window u16, segment u16', (opal, frame) =>
    opal.pciMapPeMmioWindow(frame.number('phb'), {
      pe: frame.number('pe'),
      type: frame.number('type'),
      window: frame.number('window'),
      segment: frame.number('segment'),
    }),
  ),
  call(
    30,
    'OPAL_PCI_SET_PHB_TABLE_MEMORY',
    'phb u64, rtt u64, peltv u64, pest u64, ivt u64, rejects u64',
    answers(UNSUPPORTED),
  ),
  call(31, 'OPAL_PCI_SET_PE', 'phb u64, pe u64, bdfn u64, bus u8, device u8, function u8, action u8', (opal, frame) =>
    opal.pciSetPe(frame.number('phb'), {
      pe: frame.number('pe'),
      rid: frame.number('bdfn'),
      match: { bus: frame.number('bus'), device: frame.number('device'), function: frame.number('function') },
      action: frame.number('action'),
    }),
  ),
  call(32, 'OPAL_PCI_SET_PELTV', 'phb u64, parent u32, child u32, state u8', (opal, frame) =>
    opal.pciSetPeltv(frame.number('phb'), frame.number('parent'), frame.number('child'), frame.number('state')),
  ),
  call(33, 'OPAL_PCI_SET_MVE', 'phb u64, mve u32, pe u64', (opal, frame) =>
    opal.pciSetMve(frame.number('phb'), frame.number('mve'), frame.number('pe')),
  ),
  call(34, 'OPAL_PCI_SET_MVE_ENABLE', 'phb u64, mve u32, state u32', (opal, frame) =>
    opal.pciSetMveEnable(frame.number('phb'), frame.number('mve'), frame.number('state')),
  ),
  call(35, 'OPAL_PCI_GET_XIVE_REISSUE', 'phb u64, xive u32, p u64, q u64', answers(UNSUPPORTED)),
  call(36, 'OPAL_PCI_SET_XIVE_REISSUE', 'phb u64, xive u32, p u64, q u64', answers(UNSUPPORTED)),
  call(37, 'OPAL_PCI_SET_XIVE_PE', 'phb u64, pe u64, xive u32', (opal, frame) =>
    opal.pciSetXivePe(frame.number('phb'), frame.number('pe'), frame.number('xive')),
  ),
  call(38, 'OPAL_GET_XIVE_SOURCE', 'phb u64, xive u32, isn be32*', function* (opal, frame) {
    const { rc, isn } = yield* opal.getXiveSource(frame.number('phb'), frame.number('xive'));
    if (rc === SUCCESS) frame.put('isn', isn);
    return rc;
  }),
  call(39, 'OPAL_GET_MSI_32', 'phb u64, pe u32, xive u32, range u8, address be32*, data be32*', msi('getMsi32')),
  call(40, 'OPAL_GET_MSI_64', 'phb u64, pe u32, xive u32, range u8, address be64*, data be32*', msi('getMsi64')),
  call(
    44,
    'OPAL_PCI_MAP_PE_DMA_WINDOW',
    'phb u64, pe u64, window u16, levels u16, table u64, table_size u64, page_size u64',
    (opal, frame) =>
      opal.pciMapPeDmaWindow(frame.number('phb'), {
        pe: frame.number('pe'),
        window: frame.number('window'),
        levels: frame.number('levels'),
        tableAddress: frame.word('table'),
        tableBytes: frame.word('table_size'),
        pageBytes: frame.word('page_size'),
      }),
  ),
  call(45, 'OPAL_PCI_MAP_PE_DMA_WINDOW_REAL', 'phb u64, pe u64, window u16, pci_start u64, size u64', (opal, frame) =>
    opal.pciMapPeDmaWindowReal(frame.number('phb'), {
      pe: frame.number('pe'),
      window: frame.number('window'),
      pciStart: frame.word('pci_start'),
      size: frame.word('size'),
    }),
  ),
  call(63, 'OPAL_PCI_MSI_EOI', 'phb u64, irq u32', (opal, frame) =>
    opal.pciMsiEoi(frame.number('phb'), frame.number('irq')),
  ),
  call(93, 'OPAL_PCI_SET_PHB_CAPI_MODE', 'phb u64, mode u64, pe u64', (opal, frame) =>
    opal.pciSetPhbCapiMode(frame.number('phb'), frame.number('mode'), frame.number('pe')),
  ),
  call(126, 'OPAL_PCI_TCE_KILL', 'phb u64, kind u32, pe u64, tce_size u32, address u64, pages u32', (opal, frame) =>
    opal.pciTceKill(frame.number('phb'), {
      kind: frame.number('kind'),
      pe: frame.number('pe'),
      tceBytes: frame.number('tce_size'),
      address: frame.word('address'),
      pages: frame.number('pages'),
    }),
  ),
  call(157, 'OPAL_PCI_SET_P2P', 'phb_init u64, phb_target u64, description u64, pe u16', (opal, frame) =>
    opal.pciSetP2p(frame.number('phb_init'), frame.number('phb_target')),
  ),
  call(164, 'OPAL_PCI_GET_PBCQ_TUNNEL_BAR', 'phb u64, address be64*', unsupported),
  call(165, 'OPAL_PCI_SET_PBCQ_TUNNEL_BAR', 'phb u64, address u64', unsupported),
  call(179, 'OPAL_PHB_SET_OPTION', 'phb u64, option u64, setting u64', unsupported),
  call(180, 'OPAL_PHB_GET_OPTION', 'phb u64, option u64, setting be64*', unsupported),
];

function configRead(size: 1 | 2 | 4): Handler {
  return function* (opal, frame) {
    const [phb, bdfn, offset] = [frame.number('phb'), frame.number('bdfn'), frame.number('offset')];
    const { rc, value } = yield* opal.pciConfigRead(phb, bdfn, offset, size);
    // Ones, if it failed: the caller's variable never keeps what it held.
    frame.put('data', value);
    return rc;
  };
}

function configWrite(size: 1 | 2 | 4): Handler {
  return (opal, frame) => {
    const [phb, bdfn, offset] = [frame.number('phb'), frame.number('bdfn'), frame.number('offset')];
    return opal.pciConfigWrite(phb, { bdfn, offset, size }, frame.number('data'));
  };
}

function msi(width: 'getMsi32' | 'getMsi64'): Handler {
  return function* (opal, frame) {
    const [phb, pe, xive] = [frame.number('phb'), frame.number('pe'), frame.number('xive')];
    const message = yield* opal[width](phb, pe, xive, frame.number('range'));
    if (message.rc !== SUCCESS) return message.rc;
    frame.put('address', message.address);
    frame.put('data', message.data);
    return message.rc;
  };
}
