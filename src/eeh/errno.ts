/** Error numbers of Linux, negative as functions return them. Source: linux include/uapi/asm-generic/errno-base.h, errno.h. */
export const EPERM = -1;
export const ENOENT = -2;
export const EIO = -5;
export const ENXIO = -6;
export const EACCES = -13;
export const EFAULT = -14;
export const EBUSY = -16;
export const ENODEV = -19;
export const ENOTDIR = -20;
export const EISDIR = -21;
export const EINVAL = -22;
export const ENOTTY = -25;
export const ENOSPC = -28;
export const ERANGE = -34;
export const EOPNOTSUPP = -95;
export const ENOTRECOVERABLE = -131;
