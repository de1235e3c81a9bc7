/** What the C library calls an error number: the text a shell prints. Source: glibc sysdeps/gnu/errlist. */
import * as errno from '../errno.js';

const TEXTS: Readonly<Record<string, string>> = {
  EPERM: 'Operation not permitted',
  ENOENT: 'No such file or directory',
  EIO: 'Input/output error',
  ENXIO: 'No such device or address',
  EAGAIN: 'Resource temporarily unavailable',
  ENOMEM: 'Cannot allocate memory',
  EACCES: 'Permission denied',
  EFAULT: 'Bad address',
  EEXIST: 'File exists',
  EBUSY: 'Device or resource busy',
  ENODEV: 'No such device',
  ENOTDIR: 'Not a directory',
  EISDIR: 'Is a directory',
  EINVAL: 'Invalid argument',
  ENOSPC: 'No space left on device',
  ENOSYS: 'Function not implemented',
  ETIMEDOUT: 'Connection timed out',
  ENOTTY: 'Inappropriate ioctl for device',
  ERANGE: 'Numerical result out of range',
  EOPNOTSUPP: 'Operation not supported',
  ENOTRECOVERABLE: 'State not recoverable',
};

/** `ENODEV` */
export function errnoName(number: number): string {
  const found = Object.entries(errno).find(([, value]) => value === number);
  return found?.[0] ?? `errno ${number}`;
}

export function errnoText(number: number): string {
  const name = errnoName(number);
  return TEXTS[name] ?? `Unknown error ${-number}`;
}
