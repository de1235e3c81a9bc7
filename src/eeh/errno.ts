/** Error numbers of Linux, negative as functions return them. Source: linux include/uapi/asm-generic/errno-base.h, errno.h. */
export const EPERM = -1;
export const EIO = -5;
export const ENODEV = -19;
export const EINVAL = -22;
export const ENOTTY = -25;
export const ERANGE = -34;
export const ENOTRECOVERABLE = -131;
